"""Files of parameters: converted, carded, and written so that MXNet's own reader runs them."""

import json

import mxnet as mx
import numpy as np
import pytest
from golden import ModifiedGolden, keras_tiny

from gluon_cbam import convert, get_model
from gluon_cbam.inference.network import load_network
from gluon_cbam.pretrained import conversion

OPTIONS = {'version_output': 'C', 'embedding': 32}


def stock_outputs(prefix, x):
    """What stock MXNet gives for a checkpoint, through the executor and through the Module."""
    symbol, arguments, auxiliary = mx.model.load_checkpoint(str(prefix), 0)
    x = mx.nd.array(x)
    executor = symbol.bind(mx.cpu(), {**arguments, 'data': x}, aux_states=auxiliary, grad_req='null')
    module = mx.mod.Module(symbol, label_names=None)
    module.bind([('data', x.shape)], for_training=False)
    module.set_params(arguments, auxiliary, allow_missing=False)
    module.forward(mx.io.DataBatch([x]), is_train=False)
    return executor.forward(is_train=False)[0].asnumpy(), module.get_outputs()[0].asnumpy()


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """The prefix of a checkpoint as insightface writes it, and what it holds."""
    golden = ModifiedGolden('18_C')
    prefix = tmp_path_factory.mktemp('original') / 'model'
    kinds = {name: 'aux' if name in golden.auxiliary else 'arg' for name in golden.arrays}
    for epoch, factor in ((1, 0), (12, 1)):
        values = {f'{kinds[name]}:{name}': mx.nd.array(factor * value) for name, value in golden.arrays.items()}
        mx.nd.save(f'{prefix}-{epoch:04}.params', values)
    return prefix, golden


@pytest.mark.slow
def test_there_and_back(original, cbam, tmp_path):
    prefix, golden = original
    ours, theirs = tmp_path / 'face.params', tmp_path / 'again'
    name = ['--network', 'modified_cbamnet18', '--source', 'modified', '--json']
    option = ['--option', 'version_output=C', '--option', 'embedding=32']
    process = cbam('convert', prefix, ours, *name, *option)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == {
        'network': 'modified_cbamnet18', 'source': 'modified', 'input': str(prefix),
        'files': [str(ours), str(ours.with_suffix('.json'))],
    }  # fmt: skip

    card = json.loads(ours.with_suffix('.json').read_text())
    assert (card['options'], card['classes'], card['preprocessing']['image_size']) == (OPTIONS, 32, 112)
    loaded = load_network('modified_cbamnet18', [mx.cpu()], str(ours))
    assert np.abs(loaded.net(mx.nd.array(golden.input)).asnumpy() - golden.output).max() <= 2e-6
    pixels = np.random.RandomState(0).randint(0, 256, (112, 112, 3)).astype('uint8')
    assert np.allclose(loaded.preprocessing(pixels), pixels.transpose(2, 0, 1), atol=1e-3), 'raw pixels go in'

    process = cbam('convert', ours, theirs, *name, '--reverse')
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)['files'] == [f'{theirs}-symbol.json', f'{theirs}-0000.params']
    first, second = (mx.nd.load(f'{path}-{epoch}.params') for path, epoch in ((prefix, '0012'), (theirs, '0000')))
    assert set(first) == set(second)
    assert all(np.array_equal(first[key].asnumpy(), second[key].asnumpy()) for key in first)
    for output in stock_outputs(theirs, golden.input):
        assert np.abs(output - golden.output).max() <= 2e-6
    assert {path.name for path in tmp_path.iterdir()} == {
        'face.params', 'face.json', 'again-symbol.json', 'again-0000.params',
    }  # fmt: skip


def test_numpy_files(tmp_path):
    _, weights = keras_tiny()
    np.savez(tmp_path / 'keras.npz', **weights)
    conversion.from_source(tmp_path / 'keras.npz', tmp_path / 'ours.params', 'cbamnet_tiny', 'keras', classes=10)
    conversion.to_source(tmp_path / 'ours.params', tmp_path / 'again.npz', 'cbamnet_tiny', 'keras')
    with np.load(tmp_path / 'again.npz') as again:
        assert set(again.files) == set(weights)
        assert all(np.array_equal(again[name], value) for name, value in weights.items())


def test_gluon_files(tmp_path):
    net = get_model('cifar_cbam_resnet18', classes=3)
    net.initialize()
    arrays = convert.to_arrays(net, 'imgclsmob')
    mx.nd.save(str(tmp_path / 'theirs.params'), {name: mx.nd.array(value) for name, value in arrays.items()})
    arguments = ('cifar_cbam_resnet18', 'imgclsmob')
    conversion.from_source(tmp_path / 'theirs.params', tmp_path / 'ours.params', *arguments, classes=3)
    conversion.to_source(tmp_path / 'ours.params', tmp_path / 'again.params', *arguments)
    assert (tmp_path / 'theirs.params').read_bytes() == (tmp_path / 'again.params').read_bytes()


def test_mistakes(original, tmp_path):
    prefix, golden = original
    ours = tmp_path / 'ours.params'
    (tmp_path / 'bad.npz').write_bytes(b'garbage')
    (tmp_path / 'bad.params').write_bytes(b'garbage' * 99)
    (tmp_path / 'text.txt').touch()
    spoilt = {**golden.arrays, 'bn1_beta': np.full(512, np.nan, 'float32')}
    np.savez(tmp_path / 'nan.npz', **spoilt)
    np.savez(tmp_path / 'words.npz', bn1_beta=np.array(['a']))
    for source, code, message in (
        (tmp_path / 'none', 2, 'no parameter file'),
        (tmp_path / 'text.txt', 2, 'cannot tell the format'),
        (tmp_path / 'bad.npz', 4, 'not an .npz file'),
        (tmp_path / 'bad.params', 4, 'not a parameter file'),
        (tmp_path / 'nan.npz', 4, 'bn1_beta holds values that are not finite'),
        (tmp_path / 'words.npz', 4, 'bn1_beta does not hold numbers'),
        (prefix, 4, r'head.fc1.gamma \(32,\) instead of \(512,\)'),  # the default embedding
    ):
        with pytest.raises(ValueError, match=message) as error:
            conversion.from_source(source, ours, 'modified_cbamnet18', 'modified', {'version_output': 'C'})
        assert error.value.exit_code == code
        assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match='our parameters end in .params'):
        conversion.from_source(prefix, tmp_path / 'ours', 'modified_cbamnet18', 'modified', OPTIONS)
    assert not ours.exists()
    conversion.from_source(prefix, ours, 'modified_cbamnet18', 'modified', OPTIONS)
    with pytest.raises(ValueError, match=r"written to a prefix or .npz, got '.*out.params'"):
        conversion.to_source(ours, tmp_path / 'out.params', 'modified_cbamnet18', 'modified')
    with pytest.raises(ValueError, match='holds weights of modified_cbamnet18, not of modified_cbamnet50'):
        conversion.to_source(ours, tmp_path / 'out', 'modified_cbamnet50', 'modified')

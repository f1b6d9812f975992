"""Publishing a run directory, and downloading, verifying and using its weights."""

import json
import shlex
import shutil

import mxnet as mx
import numpy as np
import pytest
import yaml
from checks import assert_one_line

from gluon_cbam import get_model, weights, zoo
from gluon_cbam.cli.commands.train import train as train_command
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.pretrained import locate
from gluon_cbam.publishing import publish as publishing
from gluon_cbam.publishing.publish import About
from gluon_cbam.publishing.verify import verify
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.config.command import command_of
from gluon_cbam.zoo.verified import record, verified

TAG = 'cbamnet_tiny.first'
CPU = [mx.cpu()]


@pytest.fixture(scope='module')
def run(digits, tmp_path_factory):
    """A short run on the digits."""
    output = tmp_path_factory.mktemp('published') / 'run'
    train(TrainConfig(
        network='cbamnet_tiny', data_train=str(digits / 'train.rec'), data_val=str(digits / 'val.rec'), epochs=1,
        output=str(output), image_size=8, lr=0.05, option={'reduction': 4}, seed=5, workers=1,
    ))  # fmt: skip
    return output


def publish(run, output, tag_source='first', **about):
    return publishing.publish(run, output, About('cbamnet_tiny', tag_source, **about), CPU)


def score_by_hand(path, digits):
    """Top-1 of a parameter file by a plain loop, with the parameters as MXNet reads them."""
    net = get_model('cbamnet_tiny', classes=10, reduction=4)
    net.initialize()
    for name, value in mx.nd.load(str(path)).items():
        net._collect_params_with_prefix()[name].set_data(value.astype('float32'))
    records, preprocessing = RecordFile(digits / 'val.rec'), Preprocessing(8, 1.0)
    images = np.stack([preprocessing(decode(records[number].image, 'x')) for number in range(len(records))])
    return float((net(mx.nd.array(images)).asnumpy().argmax(axis=1) == records.labels).mean())


@pytest.mark.parametrize(('dtype', 'size'), [('float32', 4), ('float16', 2)])
def test_the_published_bytes_are_scored(dtype, size, run, digits, tmp_path):
    card = publish(run, tmp_path / 'shop', dtype=dtype, licence='MIT', addresses=('https://example.com/x.params',))
    path = tmp_path / 'shop' / f'{TAG}.params'
    values = mx.nd.load(str(path))
    assert {value.dtype for value in values.values()} == {np.dtype(dtype).type}
    assert (card.sha256, card.bytes) == (sha256(path), path.stat().st_size)
    assert card.bytes < size * 1.05 * sum(value.size for value in values.values())
    assert card.metrics.top1 == score_by_hand(path, digits)
    assert (card.metrics.records, card.metrics.measured_by) == (360, 'verified')
    assert (card.tag, card.classes, card.options, card.licence) == (TAG, 10, {'reduction': 4}, 'MIT')
    assert card.parameters == sum(
        parameter.data().size
        for parameter in get_trained(path).collect_params().values()
        if parameter.grad_req != 'null'
    )
    assert card.original.addresses == (f'{TAG}.params', 'https://example.com/x.params')
    text = (tmp_path / 'shop' / f'{TAG}.log').read_text()
    assert text.splitlines()[0] == card.command
    assert 'epoch 1/1' in text
    assert str(run.parent) not in text + (tmp_path / 'shop' / 'registry.yaml').read_text()
    assert zoo.Published.from_dict(yaml.safe_load((tmp_path / 'shop' / f'{TAG}.yaml').read_text()), 'x') == card


def get_trained(path):
    return get_model('cbamnet_tiny', pretrained=str(path))


def test_rounding_is_scored(run, digits, tmp_path):
    """The score on a card of halves is theirs, not that of the parameters which they were made from."""
    shutil.copytree(run, tmp_path / 'run')
    spoil(tmp_path / 'run', 'coarse')
    whole, halves = (publish(tmp_path / 'run', tmp_path / dtype, dtype=dtype) for dtype in ('float32', 'float16'))
    assert halves.metrics.top1 == score_by_hand(tmp_path / 'float16' / f'{TAG}.params', digits)
    assert whole.metrics.top1 == score_by_hand(tmp_path / 'float32' / f'{TAG}.params', digits)
    assert halves.metrics.top1 != whole.metrics.top1


def test_published_weights_are_downloaded_verified_and_used(run, digits, tmp_path, server, cbam_here, monkeypatch):
    """By the commands, from a static web server, and then without it."""
    shop, store = tmp_path / 'shop', tmp_path / 'store'
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    process = cbam_here('zoo', 'publish', run, '--name', 'cbamnet_tiny', '--tag-source', 'first', '-o', shop, '--json')
    assert process.returncode == 0, process.stderr
    stated = json.loads(process.stdout)['card']['metrics']
    for path in shop.iterdir():
        server.put(f'/shop/{path.name}', path.read_bytes())
    options = ['--registry', f'{server.url}/shop/registry.yaml', '--root', store]
    got = json.loads(cbam_here('zoo', 'get', TAG, *options, '--json').stdout)
    assert sha256(got['path']) == got['sha256'] == sha256(shop / f'{TAG}.params')

    process = cbam_here('zoo', 'verify', TAG, '--data-val', digits / 'val.rec', *options, '--offline', '--json')
    assert process.returncode == 0, process.stderr
    (value,) = json.loads(process.stdout)['weights']
    assert (value['agrees'], value['same_data'], value['differences']) == (True, True, {'top1': 0, 'top5': 0})
    assert value['metrics']['top1'] == stated['top1']
    assert {'gluon_cbam', 'mxnet', 'numpy', 'python'} <= set(value['versions'])
    listed = json.loads(cbam_here('zoo', 'list', *options, '--offline', '--json').stdout)['weights']
    kept = {entry['tag']: entry['verified'] for entry in listed}
    assert kept.pop(TAG)['metrics'] == value['metrics']
    assert set(kept.values()) == {None}
    assert '# verified here on ' in cbam_here('zoo', 'info', TAG, *options, '--offline').stdout
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', str(shop))
    process = cbam_here(
        'validate', '--network', 'cbamnet_tiny', '--pretrained', TAG, '--data-val', digits / 'val.rec', '--json'
    )
    assert json.loads(process.stdout)['top1'] == stated['top1'], process.stderr


def test_a_folder_holds_many(run, tmp_path):
    shop = tmp_path / 'shop'
    publish(run, shop, default=True)
    before = {path.name: path.read_bytes() for path in shop.iterdir()}
    with pytest.raises(UsageError, match=f'the tag {TAG} is taken in .*registry.yaml'):
        publish(run, shop)
    assert {path.name: path.read_bytes() for path in shop.iterdir()} == before
    publish(run, shop, 'second')
    tags = [card.tag for card in zoo.cards('cbamnet_tiny', [str(shop)])]
    assert tags[:2] == [TAG, 'cbamnet_tiny.second']
    publishing.publish(run, shop, About('cbamnet_tiny', 'first', licence='MIT'), CPU, overwrite=True)
    licences = {card.tag: card.licence for card in zoo.cards('cbamnet_tiny', [str(shop)])}
    assert (licences[TAG], licences['cbamnet_tiny.second']) == ('MIT', None)


def test_a_file_that_no_registry_lists_is_kept(run, tmp_path):
    (tmp_path / f'{TAG}.params').write_bytes(b'mine')
    with pytest.raises(UsageError, match=f'{TAG}.params exists: .*--force'):
        publish(run, tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'mine']


BIASES = {'coarse': 3000, 'large': 1e5}  # near 3000, float16 knows multiples of 2; its largest number is 65504


def spoil(run, kind):
    """A copy of the run with something missing or wrong."""
    best = run / 'checkpoints' / 'best'
    if kind == 'no checkpoints':
        shutil.rmtree(run / 'checkpoints')
    elif kind == 'no card':
        best.with_suffix('.json').unlink()
    elif kind == 'damaged':
        best.with_suffix('.params').write_bytes(best.with_suffix('.params').read_bytes()[:-1])
    elif kind == 'no run':
        (run / 'config.yaml').unlink()
    elif kind == 'no validation':
        settings = yaml.safe_load((run / 'config.yaml').read_text())
        (run / 'config.yaml').write_text(yaml.safe_dump({**settings, 'data_val': None}))
    elif kind in BIASES:
        card = json.loads(best.with_suffix('.json').read_text())
        net = get_trained(best.with_suffix('.params'))
        net.fc.bias.set_data(net.fc.bias.data() + BIASES[kind])
        fields = ('network', 'classes', 'options', 'preprocessing')
        weights.save(net, best.with_suffix('.params'), **{name: card[name] for name in fields})


@pytest.mark.parametrize(
    ('kind', 'about', 'error', 'message'),
    [
        ('no run', {}, UsageError, 'no run in'),
        ('no checkpoints', {}, UsageError, 'no checkpoint in'),
        ('no card', {}, DataError, 'has no card next to it'),
        ('damaged', {}, DataError, 'best.params has the SHA-256'),
        ('no validation', {}, UsageError, 'give --data-val FILE'),
        ('large', {'dtype': 'float16'}, DataError, 'fc.bias holds values that float16 cannot hold'),
        ('nothing', {'dtype': 'int8'}, UsageError, "--dtype must be float32 or float16, got 'int8'"),
        ('nothing', {'name': 'resnet18'}, UsageError, "the run is of cbamnet_tiny: .* got 'resnet18'"),
        ('nothing', {'tag_source': '../x'}, UsageError, r"got '\.\./x'"),
        ('nothing', {'addresses': ('file:///x',)}, UsageError, "got 'file:///x'"),
    ],
)
def test_errors(kind, about, error, message, run, tmp_path):
    """Each is found before anything is written."""
    shutil.copytree(run, tmp_path / 'run')
    spoil(tmp_path / 'run', kind)
    with pytest.raises(error, match=message) as caught:
        publishing.publish(tmp_path / 'run', tmp_path / 'shop', About(**{'name': 'cbamnet_tiny', **about}), CPU)
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'shop').exists() or list((tmp_path / 'shop').iterdir()) == []


def test_labels_that_do_not_fit(run, tmp_path):
    with RecordWriter(tmp_path / 'other.rec') as writer:
        writer.write(10.0, b'')
    with pytest.raises(DataError, match='not a class in 0..9'):
        publishing.publish(run, tmp_path / 'shop', About(TAG), CPU, data_val=tmp_path / 'other.rec')
    assert not (tmp_path / 'shop').exists()


def test_data_with_other_classes(run, digits, tmp_path):
    for ending in ('rec', 'idx'):
        shutil.copy(str(digits / f'val.{ending}'), str(tmp_path / f'val.{ending}'))
    (tmp_path / 'classes.txt').write_text('\n'.join(['1', '0', *map(str, range(2, 10))]))
    arguments = run, tmp_path / 'shop', About('cbamnet_tiny', 'first'), CPU, tmp_path / 'val.rec'
    with pytest.raises(DataError, match=r"class 0 is '1' in .*classes\.txt, but '0' in .*best\.json"):
        publishing.publish(*arguments)
    assert not (tmp_path / 'shop').exists()
    checks = []
    publishing.publish(*arguments, ignore_classes=True, checked=checks.append)
    assert [check.compared for check in checks] == [False]


@pytest.fixture
def shop(run, tmp_path, monkeypatch):
    """Published weights, and their file in an empty store."""
    card = publish(run, tmp_path / 'shop')
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', str(tmp_path / 'shop'))
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    return card, locate.get(zoo.find(card.tag))


def claim(tmp_path, **metrics):
    """Change what the card states."""
    path = tmp_path / 'shop' / 'registry.yaml'
    (card,) = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump([{**card, 'metrics': {**card['metrics'], **metrics}}]))
    return zoo.find(card['tag'])


def test_scores_that_differ(shop, digits, tmp_path, cbam_here):
    """Scores that this project states must agree up to one record; those of a publisher are only reported."""
    card, path = shop
    top1 = card.metrics.top1
    verdict = verify(claim(tmp_path, top1=top1 - 1 / 360), path, digits / 'val.rec', CPU, 32, 1)
    assert verdict.agrees
    claim(tmp_path, top1=top1 - 2 / 360, data_sha256='0' * 64)
    line = assert_one_line(cbam_here('zoo', 'verify', TAG, '--data-val', digits / 'val.rec'), 4)
    assert f'{TAG} scores top1 {top1:.4f} instead of {top1 - 2 / 360:.4f}' in line
    assert 'on other records than the card: more than 0.0028' in line
    assert verified(card)['agrees'] is False
    claim(tmp_path, top1=top1 - 0.05, measured_by='publisher')
    process = cbam_here('zoo', 'verify', TAG, '--data-val', digits / 'val.rec')
    assert process.returncode == 0, process.stderr
    assert "(the publisher's), difference +0.0500" in process.stdout
    assert 'differs from its card (tolerance 0.0100)' in process.stdout


def test_verify_finds_damage(shop, cbam_here):
    card, path = shop
    assert f'{TAG}: intact: ' in cbam_here('zoo', 'verify').stdout
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(bytes(data))
    assert 'the file is damaged' in assert_one_line(cbam_here('zoo', 'verify', TAG), 4)
    zoo.remove(TAG)
    assert 'is not in' in assert_one_line(cbam_here('zoo', 'verify', TAG), 2)
    assert '--data-val needs the NAME' in assert_one_line(cbam_here('zoo', 'verify', '--data-val', 'x.rec'), 2)


def test_what_was_verified_belongs_to_a_file(shop):
    card, path = shop
    record(card, {'params_sha256': card.sha256, 'metrics': {}})
    assert verified(card)['metrics'] == {}
    record(card, {'params_sha256': '0' * 64, 'metrics': {}})
    assert verified(card) is None
    zoo.remove(card.tag)
    assert list(path.parent.glob('*.json')) == []


def test_the_command_trains_the_same():
    config = TrainConfig(
        network='cbamnet_tiny', data_train='/a/digits/train.rec', epochs=3, lr_base=0.01,
        lr_step_epochs=[1, 2.5], seed=7, option={'reduction': 4, 'spatial': False}, output='/secret/run',
        workers=3, optimizer='nag',
    )  # fmt: skip
    command = command_of(config.as_file())
    assert 'secret' not in command
    program, name, *arguments = shlex.split(command)
    assert (program, name) == ('cbam', 'train')
    parsed = train_command.make_context('train', arguments).params
    again = TrainConfig(**{name: parsed[name] for name in config.as_dict()})
    assert again == TrainConfig(**{
        **config.as_dict(), 'output': None, 'workers': None, 'data_train': 'digits/train.rec',
    })  # fmt: skip

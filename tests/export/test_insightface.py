"""insightface's scripts load exported faces: by load_checkpoint, from pixels, in a process without this package."""

from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
import stock_mxnet
from records import photo

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.samples import sample_images
from gluon_cbam.inference.network import load_network

SCRIPT = f"""{stock_mxnet.PREPARE}
import sys
import mxnet as mx
prefix, pixels, output = FILES
# as verification.py of insightface
symbol, arg, aux = mx.model.load_checkpoint(prefix, 0)
symbol = symbol.get_internals()['fc1_output']
batch = numpy.load(pixels)
model = mx.mod.Module(symbol=symbol, context=mx.cpu(), label_names=None)
model.bind(data_shapes=[('data', batch.shape)])
model.set_params(arg, aux)
model.forward(mx.io.DataBatch(data=(mx.nd.array(batch),)), is_train=False)
numpy.save(output, model.get_outputs()[0].asnumpy())
assert not any(module.split('.')[0] == 'gluon_cbam' for module in sys.modules)
"""


@pytest.fixture(scope='module')
def faces():
    """A small network for faces whose running statistics and slopes are not the first ones."""
    mx.random.seed(5)
    options = {'embedding': 8, 'version_output': 'E', 'image_size': 32}
    loaded = load_network('modified_cbamnet18', [mx.cpu()], image_size=32, options=options)
    random = np.random.RandomState(3)
    for parameter in loaded.net.collect_params().values():
        if parameter.name.endswith(('running_mean', 'running_var')):
            parameter.set_data(mx.nd.array(random.uniform(0.5, 1.5, parameter.shape)))
    return loaded


@pytest.fixture
def batch():
    """(2, 3, 32, 32) float32, RGB in 0..255."""
    return np.stack([photo(32, 32, seed) for seed in (1, 2)]).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize(
    'preprocessing',
    [Preprocessing(32, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255)), Preprocessing(32)],
    ids=['raw', 'normalized'],
)
def test_the_scripts_of_insightface_load_it(faces, batch, python, tmp_path, preprocessing):
    loaded = replace(faces, preprocessing=preprocessing)
    report = export_network(ExportRequest(loaded), 'insightface', tmp_path / 'model', sample_images(32))
    assert {path.name for path in report.files} == {'model-0000.params', 'model-symbol.json', 'model-0000.json'}
    np.save(tmp_path / 'pixels.npy', batch)
    files = [str(tmp_path / name) for name in ('model', 'pixels.npy', 'embeddings.npy')]
    done = python(f'FILES = {files!r}\n{SCRIPT}')
    assert done.returncode == 0, done.stderr
    images = batch.transpose(0, 2, 3, 1).astype(np.uint8)
    wanted = loaded.net(mx.nd.array(np.stack([preprocessing.normalize(image) for image in images]))).asnumpy()
    np.testing.assert_allclose(np.load(tmp_path / 'embeddings.npy'), wanted, atol=1e-4 * np.abs(wanted).max())


def test_the_card_has_the_preprocessing_of_the_network_and_the_session_feeds_pixels(faces, batch, tmp_path):
    loaded = replace(faces, preprocessing=Preprocessing(32))
    export_network(ExportRequest(loaded), 'insightface', tmp_path / 'model', sample_images(32))
    exported = load_exported(tmp_path / 'model-symbol.json')
    image = batch[0].transpose(1, 2, 0).astype(np.uint8)
    fed = exported.prepare(image)
    np.testing.assert_allclose(fed, Preprocessing(32, mean=(0, 0, 0), std=(1 / 255,) * 3)(image), atol=1e-3)
    assert fed.max() > 100
    wanted = loaded.net(mx.nd.array(loaded.preprocessing(image)[None])).asnumpy()
    np.testing.assert_allclose(exported(fed[None]), wanted, atol=1e-4 * np.abs(wanted).max())


def test_logits_and_whole_preprocessing_are_refused(faces, digits_network, tmp_path):
    with pytest.raises(UsageError, match='cbamnet_tiny gives logits'):
        export_network(ExportRequest(digits_network), 'insightface', tmp_path / 'a', sample_images(16))
    with pytest.raises(UsageError, match='leave out --preprocessing'):
        export_network(ExportRequest(faces, pixels=True), 'insightface', tmp_path / 'a', sample_images(32))
    assert not list(tmp_path.iterdir())

"""Parameters go to safetensors and come back as they were."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError
from gluon_cbam.convert.files import read_arrays
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.samples import sample_images
from gluon_cbam.inference.network import load_network


@pytest.fixture(scope='module')
def path(digits_network, tmp_path_factory):
    path = tmp_path_factory.mktemp('tensors') / 'digits.safetensors'
    export_network(ExportRequest(digits_network), 'safetensors', path, sample_images(16))
    return path


def test_there_and_back(digits_network, path):
    numpy = pytest.importorskip('safetensors.numpy')
    parameters = digits_network.net._collect_params_with_prefix()
    wanted = {name: parameter.data().asnumpy() for name, parameter in parameters.items()}
    for found in (numpy.load_file(str(path)), read_arrays(path)):
        assert sorted(found) == sorted(wanted)
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_it_serves_as_a_parameter_file(digits_network, path):
    again = load_network('cbamnet_tiny', [mx.cpu()], str(path))
    assert again.preprocessing == digits_network.preprocessing and again.class_names == digits_network.class_names
    x = mx.nd.random.uniform(shape=(2, 3, 16, 16))
    assert np.array_equal(again.net(x).asnumpy(), digits_network.net(x).asnumpy())
    assert get_model('cbamnet_tiny', pretrained=str(path)).fc.weight.shape == (10, 128)
    with pytest.raises(DataError, match='weights of cbamnet_tiny, not of resnet18'):
        weights.read_card(path, 'resnet18')


@pytest.mark.parametrize('size', [0, 7, 100, -1])
def test_damaged(path, tmp_path, size):
    cut = tmp_path / 'cut.safetensors'
    cut.write_bytes(path.read_bytes()[:size])
    for read in (read_arrays, weights.read_card):
        with pytest.raises(DataError, match=r'cut\.safetensors: not a safetensors file'):
            read(cut)

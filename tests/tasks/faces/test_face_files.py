"""Files of networks for faces: exported, converted and as safetensors, they give the embeddings of the network."""

import json

import mxnet as mx
import numpy as np
import pytest
from checks import assert_one_line
from face_identities import write_identities

from gluon_cbam import get_model, weights
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.models.variants import VARIANTS
from gluon_cbam.recognition.embedding_files import read_embeddings

NETWORKS = {  # an embedding of a network of classification, and a network for faces
    'cbamnet_tiny': {'embedding': 8, 'image_size': 16},
    'modified_cbamnet18': {'embedding': 8, 'image_size': 32},
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'), pictures=4)


@pytest.fixture(scope='module', params=[(name, task) for name in NETWORKS for task in ('faces', None)])
def params(request, tmp_path_factory):
    """A parameter file with a card, of a task or of none, whose statistics are not the first ones."""
    name, task = request.param
    net, random = get_model(name, **NETWORKS[name]), np.random.RandomState(3)
    net.initialize(mx.init.Xavier())
    size = NETWORKS[name]['image_size']
    net(mx.nd.zeros((1, 3, size, size)))
    for parameter in net.collect_params().values():
        if parameter.name.endswith(('running_mean', 'running_var')):
            parameter.set_data(mx.nd.array(random.uniform(0.5, 1.5, parameter.shape)))
    path = tmp_path_factory.mktemp('params') / 'face.params'
    weights.save(
        net, path, network=name, classes=8, options=NETWORKS[name], task=task,
        preprocessing=Preprocessing.of(VARIANTS[name], image_size=size).as_dict(),
    )  # fmt: skip
    return path


def embeddings(cbam_here, data, output, *network):
    """What cbam faces embed writes for the records."""
    done = cbam_here('faces', 'embed', data / 'train.rec', '-o', output, *network)
    assert done.returncode == 0, done.stderr
    return read_embeddings(output)


def assert_equal(found, expected, exact=False):
    if exact:
        np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    else:
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-5)
    assert {name: found.about[name] for name in ('network', 'preprocessing')} == {
        name: expected.about[name] for name in ('network', 'preprocessing')
    }


@pytest.mark.parametrize(('kind', 'name'), [('onnx', 'net.onnx'), ('symbol', 'net')])
def test_exported_networks_say_that_they_give_embeddings(cbam_here, params, data, tmp_path, kind, name):
    """Whatever their task is: cbam faces takes them, and a task of classes refuses them."""
    done = cbam_here('export', '--params', params, '--format', kind, '-o', tmp_path / name)
    assert done.returncode == 0, done.stderr
    exported = tmp_path / (name if kind == 'onnx' else f'{name}-symbol.json')
    network = load_exported(exported)
    assert (network.embeddings, network.classes) == (True, 8)
    assert network.engine == ('onnxruntime' if kind == 'onnx' else 'mxnet')
    expected = embeddings(cbam_here, data, tmp_path / 'a.npz', '--params', params)
    assert np.ptp(expected.embeddings, axis=0).min() > 1e-3, 'the images differ'
    assert_equal(embeddings(cbam_here, data, tmp_path / 'b.npz', '--exported', exported), expected)
    process = cbam_here('predict', data / 'train.rec', '--exported', exported, '--json')
    if json.loads(params.with_suffix('.json').read_text()).get('task') == 'faces':
        assert len(json.loads(process.stdout)['images'][0]['embedding']) == 8
    else:
        assert 'gives embeddings of 8 numbers, no logits' in assert_one_line(process, 2)


def test_safetensors(cbam_here, params, data, tmp_path):
    done = cbam_here('export', '--params', params, '--format', 'safetensors', '-o', tmp_path / 'face.safetensors')
    assert done.returncode == 0, done.stderr
    expected = embeddings(cbam_here, data, tmp_path / 'a.npz', '--params', params)
    network = ['--params', tmp_path / 'face.safetensors']
    assert_equal(embeddings(cbam_here, data, tmp_path / 'b.npz', *network), expected, exact=True)


def test_converted_to_insightface_and_back(cbam_here, params, data, tmp_path):
    card = json.loads(params.with_suffix('.json').read_text())
    if card['network'] == 'cbamnet_tiny':
        pytest.skip('a network for faces alone has such a source')
    assert cbam_here('convert', params, tmp_path / 'model', '--source', 'modified', '--reverse').returncode == 0
    options = [part for name, value in card['options'].items() for part in ('--option', f'{name}={value}')]
    arguments = ['--network', card['network'], '--source', 'modified', *options]
    done = cbam_here('convert', tmp_path / 'model', tmp_path / 'back.params', *arguments)
    assert done.returncode == 0, done.stderr
    expected = embeddings(cbam_here, data, tmp_path / 'a.npz', '--params', params)
    found = embeddings(cbam_here, data, tmp_path / 'b.npz', '--params', tmp_path / 'back.params')
    assert_equal(found, expected, exact=True)

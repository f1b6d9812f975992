"""Grad-CAM of the similarity of two images, against autograd of the cosine and finite differences."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

import gluon_cbam
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.explain import pair_grad_cam
from gluon_cbam.explain.maps.pair_cam import cosine_gradient


class Small(nn.HybridBlock):
    """Two convolutions and an embedding of 5 numbers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2D(6, 3, padding=1, activation='tanh')
        self.last = nn.Conv2D(4, 3, strides=2, padding=1, activation='tanh')
        self.head = nn.HybridSequential()
        self.head.add(nn.Flatten(), nn.Dense(5))

    def hybrid_forward(self, F, x):
        return self.head(self.last(self.first(x)))


@pytest.fixture(scope='module')
def small():
    mx.random.seed(3)
    net = Small()
    net.initialize(mx.init.Xavier(magnitude=6))
    random = np.random.RandomState(0)
    images = [mx.nd.array(random.randn(2, 3, 8, 8)) for _ in range(2)]
    net(images[0])
    return net, images


def maps_by_autograd(net, image, other):
    """Grad-CAM from the gradient of the cosine, written with the operators of mxnet."""
    features, constant = net.last(net.first(image)), net(other)
    features.attach_grad()
    with mx.autograd.record():
        embedding = net.head(features)
        cosine = (embedding * constant).sum(axis=1) / (embedding.norm(axis=1) * constant.norm(axis=1))
    cosine.backward()
    weights = features.grad.asnumpy().mean(axis=(2, 3))
    heat = np.maximum(np.einsum('nc,nchw->nhw', weights, features.asnumpy()), 0)
    return heat / heat.max(axis=(1, 2), keepdims=True), cosine.asnumpy()


def test_the_maps_are_those_of_the_cosine(small):
    net, (first, second) = small
    found = pair_grad_cam(net, first, second, layer='last')
    for maps, pair in ((found.first, (first, second)), (found.second, (second, first))):
        expected, cosine = maps_by_autograd(net, *pair)
        np.testing.assert_allclose(maps, expected, atol=1e-5)
        np.testing.assert_allclose(found.similarity, cosine, atol=1e-6)
    assert np.abs(found.first - found.second).max() > 0.1, 'the maps are of their own images'


def test_the_gradient_equals_finite_differences():
    random = np.random.RandomState(1)
    first, second = random.randn(2, 3, 7)

    def cosine(values):
        return (values * second).sum(axis=1) / np.linalg.norm(values, axis=1) / np.linalg.norm(second, axis=1)

    cosines, gradient = cosine_gradient(first, second)
    np.testing.assert_allclose(cosines, cosine(first), atol=1e-12)
    for column in range(7):
        step = 1e-6 * np.eye(7)[column]
        np.testing.assert_allclose(gradient[:, column], (cosine(first + step) - cosine(first - step)) / 2e-6, atol=1e-8)


def test_the_network_is_as_it_was(small):
    net, (first, second) = small
    before = net(first).asnumpy()
    net.hybridize()
    pair_grad_cam(net, first, second)
    np.testing.assert_allclose(net(first).asnumpy(), before, atol=1e-6)


def test_what_has_no_similarity(small):
    net, (first, second) = small
    with pytest.raises(UsageError, match='one shape'):
        pair_grad_cam(net, first, second[:1])
    with pytest.raises(DataError, match='norm zero'):
        cosine_gradient(np.zeros((1, 3)), np.ones((1, 3)))


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """Weights of a small network with embeddings, and two images."""
    folder = tmp_path_factory.mktemp('faces')
    net = gluon_cbam.get_model('modified_cbamnet18', embedding=8, image_size=32)
    mx.random.seed(1)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(str(folder / 'net.params'))
    random = np.random.RandomState(0)
    for name in 'ab':
        pixels = cv2.resize(random.randint(0, 256, (5, 5, 3)).astype(np.uint8), (32, 32), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'{name}.png'), pixels)
    return folder


@pytest.mark.slow
def test_the_command_explains_a_pair(cbam_here, faces, tmp_path):
    network = ['--network', 'modified_cbamnet18', '--params', faces / 'net.params', '--image-size', 32]
    network += ['--option', 'embedding=8', '--option', 'image_size=32']
    pair = [faces / 'a.png', '--pair', faces / 'b.png']
    found = cbam_here('explain', *pair, *network, '--output', tmp_path, '--report', '--json')
    assert found.returncode == 0, found.stderr
    value = json.loads(found.stdout)
    compared = json.loads(
        cbam_here('faces', 'compare', faces / 'a.png', faces / 'b.png', *network, '--no-flip', '--json').stdout
    )
    assert value['similarity'] == pytest.approx(compared['similarity'], abs=1e-5)
    assert [image['maps'][0]['kind'] for image in value['images']] == ['gradcam', 'gradcam']
    assert f'{value["similarity"]:.4f} to' in (tmp_path / 'report.html').read_text()
    for name in 'ab':
        assert cv2.imread(str(tmp_path / f'{name}.png')).std() > 5
    for arguments, text in (
        ([*pair, '--class', 1], '--class 1'),
        ([faces / 'a.png', '--pair', faces], 'names several'),
        ([*pair, '--method', 'rise'], 'use gradcam'),
        ([*pair, '--compare', 'x'], '--compare'),
    ):
        refused = cbam_here('explain', *arguments, *network, '--output', tmp_path / 'other')
        assert (refused.returncode, refused.stderr.count('\n')) == (2, 1), refused.stderr
        assert text in refused.stderr

"""Dilated ResNets: against GluonCV's, and against the plain network on a picked grid."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import features
from gluon_cbam.models import build


def random_images(size, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (1, 3, size, size)))


@pytest.mark.parametrize('name', ['resnet18', 'resnet50'])
def test_maps_are_gluoncvs(name):
    resnet = pytest.importorskip('gluoncv.model_zoo.resnetv1b')
    theirs = getattr(resnet, f'{name}_v1b')(dilated=True, pretrained=False, ctx=mx.cpu())
    theirs.initialize()
    theirs(mx.nd.zeros((1, 3, 64, 64)))  # completes the shapes
    ours = checks.fill(build(name, dilated=True))
    named = theirs._collect_params_with_prefix()
    for path, parameter in ours._collect_params_with_prefix().items():
        named[path].set_data(parameter.data())
    x = random_images(72)
    expected = theirs.relu(theirs.bn1(theirs.conv1(x)))
    expected = theirs.maxpool(expected)
    for layer, value in zip(('layer1', 'layer2', 'layer3', 'layer4'), features(ours)(x)):
        expected = getattr(theirs, layer)(expected)
        assert value.shape == expected.shape
        difference = np.abs(value.asnumpy() - expected.asnumpy()).max()
        assert difference <= 1e-4 * np.abs(expected.asnumpy()).max()


@pytest.mark.parametrize('name', ['cbam_resnet18', 'se_resnet50', 'cifar_bam_resnet18', 'resnext50_32x4d'])
def test_parameters_are_those_of_the_plain_network(name):
    shapes = [
        {
            path: parameter.shape
            for path, parameter in build(name, dilated=dilated)._collect_params_with_prefix().items()
        }
        for dilated in (False, True)
    ]
    assert shapes[0] == shapes[1]
    strides = [features(build(name, dilated=dilated)).strides for dilated in (False, True)]
    assert strides[1] == (*strides[0][:2], strides[0][1], strides[0][1])


def test_the_plain_maps_are_every_other_pixel():
    """A dilated network without strides computes what the plain one does, for its pixels and those between them."""
    plain, dilated = (checks.fill(build('resnet18', dilated=value)) for value in (False, True))
    x = random_images(64)
    (third, fourth), (dense_third, dense_fourth) = (features(net, (2, 3))(x) for net in (plain, dilated))
    for coarse, fine, step in ((third, dense_third, 2), (fourth, dense_fourth, 4)):
        picked = fine.asnumpy()[:, :, ::step, ::step]
        assert picked.shape == coarse.shape
        assert np.abs(picked - coarse.asnumpy()).max() <= 1e-4 * np.abs(picked).max()


def test_it_exports(tmp_path):
    net = checks.fill(build('cbam_resnet18', dilated=True, classes=5))
    first, *others = checks.three_ways(net, random_images(64).asnumpy(), tmp_path)
    assert all(np.abs(other - first).max() <= 1e-5 * np.abs(first).max() for other in others)

"""StairNet-style detectors: their steps against numpy, exports, gradients, attention."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import build
from gluon_cbam.models.detection.ssd import SSD

NAMES = ('stairnet_300', 'stairnet_300_lite', 'stairnet_300_vgg16')


def tiny(name, **options):
    return checks.fill(
        build(name, **{'classes': 3, 'backbone': 'resnet18', 'widen': 0.25, 'step_channels': 32, **options})
    )


def images(size=96, count=1):
    return mx.nd.array(np.random.RandomState(0).normal(0, 1, (count, 3, size, size)))


def doubled(deeper, shape):
    """A map enlarged by repeating pixels, cut to a size."""
    return deeper.repeat(2, axis=2).repeat(2, axis=3)[:, :, : shape[2], : shape[3]]


def deconvolved(step, deeper, shape, single):
    """A map enlarged by a deconvolution of 2 x 2, cut to a size; a single cell becomes the mean of its four."""
    weight = step.deconv.weight.data().asnumpy()  # (inputs, outputs, 2, 2)
    count, _, rows, columns = deeper.shape
    cells = np.einsum('ncij,coab->noiajb', deeper, weight).reshape(count, -1, 2 * rows, 2 * columns)
    larger = step.bn(mx.nd.array(cells)).asnumpy()
    if single:
        return np.broadcast_to(larger.mean((2, 3), keepdims=True), shape)
    return larger[:, :, : shape[2], : shape[3]]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('size', [96, 300])
def test_steps_add_enlarged_maps(name, size):
    net, x = tiny(name), images(size)
    own = [local(each).asnumpy() for local, each in zip(net.locals, SSD.maps(net, mx.nd, x))]
    assert (len(own), own[-1].shape[2:]) == (6, (1, 1))
    expected = [np.maximum(own[-1], 0)]
    for number in reversed(range(5)):
        larger = doubled(expected[0], own[number].shape)
        if name == 'stairnet_300_vgg16':
            larger = deconvolved(net.steps[number], expected[0], own[number].shape, number == 4)
        elif name == 'stairnet_300' and number == 4:
            larger = np.broadcast_to(net.steps[4](mx.nd.array(expected[0])).asnumpy(), own[4].shape)
        else:
            larger = net.steps[number](mx.nd.array(larger)).asnumpy()
        expected.insert(0, np.maximum(own[number] + larger, 0))
    for value, wanted in zip(net.maps(mx.nd, x), expected):
        assert value.shape == wanted.shape
        assert np.abs(value.asnumpy() - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_a_last_map_of_the_right_width_is_read_as_it_is():
    net, x = tiny('stairnet_300_vgg16', step_channels=256), images()
    assert len(net.locals) == 5
    wanted = SSD.maps(net, mx.nd, x)[-1].asnumpy()
    assert np.array_equal(net.maps(mx.nd, x)[-1].asnumpy(), wanted)
    assert wanted.any()


@pytest.mark.parametrize('name', NAMES[:2])
def test_a_separable_convolution_has_one_kernel_for_each_channel(name):
    block = tiny(name).steps[0]
    if name == 'stairnet_300':
        assert block.depthwise is None
        assert block.conv.weight.shape == (32, 32, 3, 3)
    else:
        assert (block.conv.weight.shape, block.depthwise.weight.shape) == ((32, 32, 1, 1), (32, 1, 3, 3))


@pytest.mark.parametrize('name', NAMES)
def test_exports(name, tmp_path):
    net, x = tiny(name, attention='cbam'), images(64, 2)
    first, *others = checks.three_ways(net, x.asnumpy(), tmp_path)
    assert first.shape == (2, 100, 6)
    assert all(np.abs(other - first).max() <= 1e-4 for other in others)


@pytest.mark.parametrize('name', NAMES)
def test_every_parameter_learns(name):
    net, x = tiny(name, attention='cbam', reduction=4), images(128, 2)
    random = np.random.RandomState(1)
    with mx.autograd.record():
        loss = sum((output * mx.nd.array(random.normal(size=output.shape))).sum() for output in net(x))
    loss.backward()
    for path, parameter in net._collect_params_with_prefix().items():
        if parameter.grad_req != 'null':
            assert parameter.grad().asnumpy().any(), path


def test_attention_is_before_the_classifiers_by_default():
    net = tiny('stairnet_300', attention='cbam')
    assert all(head.attention is not None for head in net.heads)
    assert net.backbone.network.layer1[0].attention is None


def test_bad_options():
    with pytest.raises(ValueError, match='step_channels must be a positive integer, got 0'):
        build('stairnet_300', step_channels=0)

"""The operator of a convolution with what follows it, in graphs for inference, against numpy and the unfused graph."""

import json

import checks
import mxnet as mx
import numpy as np
import pytest
from mxnet._ctypes.ndarray import _imperative_invoke as invoke
from mxnet.gluon import nn

from gluon_cbam import get_model
from gluon_cbam.ops import library
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.fusion import fuse_convolutions
from gluon_cbam.ops.library import FUSED_CONVOLUTION, PREFIX
from gluon_cbam.ops.tracing import FusedBlock

FUSED = PREFIX + FUSED_CONVOLUTION
STATIC = dict(static_alloc=True, static_shape=True)


class Unit(FusedBlock):
    """A convolution, BatchNorm, the addition of a shortcut, which is 3 * x of the first channels, an activation."""

    def __init__(self, outputs, inputs, activation, shortcut, norm, **convolution):
        super().__init__()
        with self.name_scope():
            self.conv = Conv2D(outputs, in_channels=inputs, **convolution)
            self.norm = nn.BatchNorm(in_channels=outputs, **norm)
            self.act = {'none': None, 'relu': nn.Activation('relu'), 'prelu': PReLU(in_channels=outputs)}[activation]
        self.shortcut = shortcut

    def hybrid_forward(self, F, x):
        y = self.norm(self.conv(x))
        y = 3 * x + y if self.shortcut else y
        return self.act(y) if self.act else y


def values(parameter):
    return parameter.data().asnumpy().astype('float64')


def convolved(x, weight, stride, pad, dilate, groups):
    """The convolution by its definition, a kernel's position at a time."""
    x = np.pad(x.astype('float64'), [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    outputs, inputs, side = weight.shape[:3]
    size = [(length - dilate * (side - 1) - 1) // stride + 1 for length in x.shape[2:]]
    y = np.zeros((x.shape[0], outputs, *size))
    for row in range(side):
        for column in range(side):
            top, left = dilate * row, dilate * column
            part = x[:, :, top : top + stride * size[0] : stride, left : left + stride * size[1] : stride]
            for group in range(groups):
                of_group = slice(group * outputs // groups, (group + 1) * outputs // groups)
                taken = part[:, group * inputs : (group + 1) * inputs, : size[0], : size[1]]
                y[:, of_group] += np.einsum('nihw,oi->nohw', taken, weight[of_group, :, row, column])
    return y


def expected(unit, x):
    """The output of a Unit in inference, BatchNorm after the convolution, in float64."""
    options = unit.conv._kwargs
    y = convolved(
        x, values(unit.conv.weight), options['stride'][0], options['pad'][0], options['dilate'][0], options['num_group']
    )
    per_channel = lambda parameter: values(parameter)[:, None, None]  # noqa: E731
    y = y + per_channel(unit.conv.bias) if unit.conv.bias is not None else y
    norm = unit.norm
    gamma = per_channel(norm.gamma) if norm._kwargs['fix_gamma'] is False else 1
    deviation = np.sqrt(per_channel(norm.running_var) + norm._kwargs['eps'])
    y = (y - per_channel(norm.running_mean)) / deviation * gamma + per_channel(norm.beta)
    y = y + 3 * x if unit.shortcut else y
    if unit.act is None:
        return y
    slopes = per_channel(unit.act.alpha) if isinstance(unit.act, PReLU) else 0
    return np.where(y > 0, y, y * slopes)


def error(found, wanted):
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def operators_of(graph):
    return [node['op'] for node in json.loads(graph)['nodes'] if node['op'] != 'null']


# what the convolution is; the first two run Winograd's algorithm
CONVOLUTIONS = {
    'winograd': dict(kernel_size=3, padding=1, use_bias=False),
    'winograd, odd sizes': dict(kernel_size=3, padding=1, use_bias=False, size=(3, 32, 13, 11)),
    'bias': dict(kernel_size=3, padding=1, use_bias=True),
    '1 x 1': dict(kernel_size=1, use_bias=False),
    'stride': dict(kernel_size=3, strides=2, padding=1, use_bias=False),
    '7 x 7, 3 channels': dict(kernel_size=7, strides=2, padding=3, use_bias=False, size=(2, 3, 30, 31)),
    'dilation': dict(kernel_size=3, padding=2, dilation=2, use_bias=False),
    'no padding': dict(kernel_size=3, use_bias=False),
    'groups': dict(kernel_size=3, padding=1, groups=4, use_bias=False),
    'depthwise': dict(kernel_size=3, padding=1, groups=32, use_bias=True),
    'small map': dict(kernel_size=3, padding=1, use_bias=False, size=(1, 32, 5, 5)),
    'odd channels': dict(kernel_size=3, padding=1, use_bias=False, size=(2, 5, 14, 14), outputs=7),
}


@pytest.mark.parametrize('activation', ['none', 'relu', 'prelu'])
@pytest.mark.parametrize('name', CONVOLUTIONS)
def test_equals_batchnorm_after_the_convolution(name, activation, operators, running):
    options = dict(CONVOLUTIONS[name])
    size, outputs = options.pop('size', (2, 32, 14, 14)), options.pop('outputs', 32)
    norm = dict(scale=False, epsilon=2e-5) if activation == 'prelu' else dict(epsilon=1e-3)
    unit = checks.fill(Unit(outputs, size[1], activation, False, norm, **options))
    unit.hybridize(**STATIC)
    x = np.random.RandomState(0).randn(*size).astype('float32')
    for batch in (x, x[:1], x):
        assert error(unit(mx.nd.array(batch)).asnumpy(), expected(unit, batch)) <= 1e-5
    assert operators_of(running[-1]) == [FUSED]


@pytest.mark.parametrize('activation', ['none', 'relu', 'prelu'])
@pytest.mark.parametrize('name', ['winograd', 'winograd, odd sizes', '1 x 1', 'dilation', 'depthwise', 'small map'])
def test_adds_a_shortcut(name, activation, operators, running):
    options = dict(CONVOLUTIONS[name])
    size = options.pop('size', (2, 32, 14, 14))
    unit = checks.fill(Unit(32, size[1], activation, True, {}, **options))
    x = np.random.RandomState(0).randn(*size).astype('float32')
    for static in ({}, STATIC):
        unit.hybridize(**static)
        for _ in range(2):
            assert error(unit(mx.nd.array(x)).asnumpy(), expected(unit, x)) <= 1e-5
    assert operators_of(running[-1]) == ['_mul_scalar', FUSED]


@pytest.mark.parametrize('name', ['winograd', '1 x 1'])
def test_writes_an_output_that_is_a_part_of_an_array(name, operators):
    unit = checks.fill(Unit(32, 32, 'relu', False, {}, **CONVOLUTIONS[name]))
    x = np.random.RandomState(0).randn(2, 32, 14, 14).astype('float32')
    norm = unit.norm
    inputs = [p.data() for p in (unit.conv.weight, norm.gamma, norm.beta, norm.running_mean, norm.running_var)]
    graph = fuse_convolutions(unit(mx.sym.var('data')))
    (node,) = [node for node in json.loads(graph.tojson())['nodes'] if node['op'] == FUSED]
    whole = mx.nd.ones((4, 32, 14, 14))
    invoke(
        library._handle(FUSED_CONVOLUTION).value,
        [mx.nd.array(x), *inputs],
        *zip(*node['attrs'].items()),
        whole[1:3],
        0,
        0,
    )
    assert error(whole[1:3].asnumpy(), expected(unit, x)) <= 1e-5
    assert (whole[0] == 1).asnumpy().all() and (whole[3] == 1).asnumpy().all()


def test_only_what_is_used_once_is_fused():
    data, weight = mx.sym.var('data'), mx.sym.var('weight')
    conv = mx.sym.Convolution(data, weight, kernel=(3, 3), num_filter=4, no_bias=True)
    norm = mx.sym.BatchNorm(conv, eps=1e-5, fix_gamma=False)
    assert fuse_convolutions(norm) is not None
    relu = mx.sym.Activation(norm, act_type='relu')
    for graph in (
        mx.sym.Group([norm, conv]),  # the convolution is an output, too
        mx.sym.exp(conv) + norm,
        mx.sym.BatchNorm(conv, eps=1e-5, axis=2),
        mx.sym.BatchNorm(data, eps=1e-5),
        mx.sym.Convolution(data, weight, kernel=(3,), num_filter=4, no_bias=True),
    ):
        assert fuse_convolutions(graph) is None
    kept = fuse_convolutions(mx.sym.Group([relu, norm]))  # the activation is not, since BatchNorm's output is needed
    assert operators_of(kept.tojson()) == [FUSED, 'Activation']
    assert operators_of(fuse_convolutions(relu).tojson()) == [FUSED]
    sigmoid = fuse_convolutions(mx.sym.Activation(norm, act_type='sigmoid'))
    assert operators_of(sigmoid.tojson()) == [FUSED, 'Activation']
    twice = fuse_convolutions(norm + norm)
    assert operators_of(twice.tojson()) == [FUSED, 'elemwise_add']


def test_training_mode_is_refused(operators):
    unit = checks.fill(Unit(32, 32, 'none', False, {}, kernel_size=1))
    graph = fuse_convolutions(unit(mx.sym.var('data')))
    bound = {
        name: mx.nd.zeros((1, 32, 5, 5)) if name == 'data' else unit.collect_params()[name].data()
        for name in graph.list_inputs()
    }
    with pytest.raises(mx.MXNetError, match='for inference only'):
        graph.bind(mx.cpu(), bound).forward(is_train=True)[0].wait_to_read()


@pytest.mark.parametrize(
    ('name', 'options', 'size'),
    [
        ('cifar_cbam_resnet18', {'widen': 0.5}, 32),
        ('resnet18', {}, 64),
        ('cbam_resnet50', {}, 64),
        ('se_resnet50', {}, 64),
        ('bam_resnet18', {}, 64),
    ],
)
def test_networks_keep_their_outputs(name, options, size, operators, running):
    net = checks.fill(get_model(name, classes=10, **options))
    net.hybridize(**STATIC)
    x = mx.nd.array(np.random.RandomState(0).randn(2, 3, size, size))
    fused = net(x).asnumpy()
    assert operators_of(running[-1]).count(FUSED) >= 17
    with mx.autograd.record(train_mode=False):
        unfused = net(x).asnumpy()
    assert error(fused, unfused) <= 1e-5

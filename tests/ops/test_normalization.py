"""Attention after a BatchNorm, whose output is not kept for the backward pass: gradients, and what is kept."""

import re

import checks
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_cbam import CBAM, SqueezeExcitation
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.attention.base import apply_attention
from gluon_cbam.ops.status import VARIABLE
from gluon_cbam.ops.tracing import FusedBlock

EPSILON = {'float32': 1e-4, 'float64': 1e-11}
STATIC = dict(static_alloc=True, static_shape=True)


class Block(FusedBlock):
    """Convolution, plus a number - BatchNorm - attention, plus a shortcut, ReLU."""

    def __init__(self, attention, channels=24, kernel=3, norm=None, conv=True, shift=0):
        super().__init__()
        self._shift = shift
        with self.name_scope():
            size = dict(kernel_size=kernel, padding=kernel // 2, in_channels=24, use_bias=False)
            self.conv = nn.Conv2D(channels, **size) if conv else None
            self.bn = None if norm is None else nn.BatchNorm(in_channels=channels, **norm)
            self.attention = attention(channels)

    def hybrid_forward(self, F, x):
        x = x if self.conv is None else self.conv(x)
        shortcut = F.ones_like(x) / 2
        x = x if self.bn is None else self.bn(x + self._shift)
        return apply_attention(F, self.attention, x, shortcut, relu=True)


def small_cbam(channels, **options):
    return CBAM(channels, 4, **options)


def block(attention=small_cbam, frozen=(), request='write', gamma=None, **options):
    """The options of a block: parameters without gradients, the requests of the others, and a value of gamma."""

    def make():
        made = checks.fill(Block(attention, **{'norm': {}, **options}))
        if gamma is not None:
            made.bn.gamma.set_data(gamma * mx.nd.ones(made.bn.gamma.shape))
        for name, parameter in made._collect_params_with_prefix().items():
            if parameter.grad_req != 'null':
                parameter.grad_req = 'null' if name.startswith(tuple(frozen)) else request
        return made

    return make


BLOCKS = {
    'as it is': block(),
    'SE': block(lambda channels: SqueezeExcitation(channels, 4)),
    'modified': block(lambda channels: ModifiedCBAM(channels, 4, 'leaky')),
    'spatial first': block(lambda channels: small_cbam(channels, order='spatial_channel')),
    'parallel': block(lambda channels: small_cbam(channels, order='parallel')),
    'without scale': block(norm=dict(scale=False), gamma=2),
    'without center': block(norm=dict(center=False)),
    'global statistics': block(norm=dict(use_global_stats=True)),
    'large epsilon': block(norm=dict(epsilon=0.5)),
    'far from zero': block(shift=1e5),
    'without a convolution': block(conv=False),
    'frozen gamma': block(frozen=['bn.gamma']),
    'all frozen but attention': block(frozen=['bn', 'conv']),
    'added gradients': block(request='add'),
    'blocks that are padded': block(channels=20),
    'rows of channels': block(channels=64, kernel=1),
    'no BatchNorm': block(norm=None),
    'along the width': block(norm=dict(axis=3), conv=False),
}
# as wide as it has channels, so that the shapes of a BatchNorm along the width are those of one of channels too
X = np.random.RandomState(0).randn(2, 24, 7, 24)


def gradients(make, kernels, dtype, hybrid, train, monkeypatch):
    """Name -> array, of two backward passes."""
    monkeypatch.setenv(VARIABLE, kernels)
    net = make()
    net.cast(dtype)
    if hybrid is not None:
        net.hybridize(**hybrid)
    x = mx.nd.array(X, dtype=dtype)
    x.attach_grad()
    for number in range(2):
        with mx.autograd.record(train_mode=train):
            y = net(x)
            loss = (y * mx.nd.array(np.random.RandomState(number).randn(*y.shape), dtype=dtype)).sum()
        loss.backward(train_mode=train)
        mx.nd.waitall()
    parameters = net._collect_params_with_prefix().items()
    return {'x': x.grad.asnumpy(), **{n: p.grad().asnumpy() for n, p in parameters if p.grad_req != 'null'}}


@pytest.mark.parametrize('dtype', EPSILON)
@pytest.mark.parametrize('train', [True, False], ids=['train', 'predict'])
@pytest.mark.parametrize('name', BLOCKS)
def test_gradients_are_those_of_the_definition(name, train, dtype, operators, monkeypatch):
    expected = gradients(BLOCKS[name], 'plain', dtype, None, train, monkeypatch)
    largest = max(np.abs(array).max() for array in expected.values())
    for hybrid in (None, {}, STATIC):
        found = gradients(BLOCKS[name], 'auto', dtype, hybrid, train, monkeypatch)
        assert found.keys() == expected.keys()
        for key, array in found.items():  # what BatchNorm takes away has no gradient but rounding
            scale = max(np.abs(expected[key]).max(), 1e-3 * largest)
            assert np.abs(array - expected[key]).max() <= EPSILON[dtype] * scale, (hybrid, key)


def graph(operators, between=lambda x: x, blocks=1, **norm):
    """Residual blocks, bound with their backward pass, as text."""
    x = mx.sym.Convolution(mx.sym.var('data'), num_filter=16, kernel=(1, 1))
    for number in range(blocks):
        z = mx.sym.Convolution(x, num_filter=16, kernel=(1, 1))
        normed = between(mx.sym.BatchNorm(z, name=f'bn{number}', fix_gamma=False, **norm))
        mean, maximum, returned = operators.sym.global_pool(normed)
        gate = mx.sym.sigmoid(mean + maximum)
        pooled, returned = operators.sym.channel_pool_gated_max_mean(returned, gate)
        spatial = mx.sym.sigmoid(mx.sym.sum(pooled, axis=1, keepdims=True))
        x = operators.sym.scale_channel_spatial_add_relu(returned, gate, spatial, x)
    return mx.sym.sum(x).simple_bind(mx.cpu(), data=(8, 16, 128, 128), grad_req='write').debug_str()


def keeps_the_map(text):
    """Whether a backward operator takes the map, or the output of an operator that returned it."""
    backward = ''.join(part for part in text.split('-' * 20) if 'Op:_backward' in part)
    return bool(re.search(r'=(bn\d+\(0\)|global_pool\d+\(2\)|channel_pool\w+\(1\))', backward))


def test_the_map_is_not_kept(operators):
    """The planned memory is one map of 8 MiB less for each block."""
    with_it, without = (graph(operators, between, blocks=6) for between in (mx.sym.identity, lambda x: x))
    assert 'of_norm' in without
    assert not keeps_the_map(without)
    planned = [int(re.search(r'Total (\d+) MB allocated', text).group(1)) for text in (with_it, without)]
    assert planned[0] - planned[1] >= 5 * 8


def test_the_map_is_kept_where_batch_norm_did_not_make_it(operators):
    assert not keeps_the_map(graph(operators, axis=1))
    for text in (graph(operators, between=mx.sym.relu), graph(operators, axis=3), graph(operators, axis=-1)):
        assert 'of_norm' not in text
        assert re.search(r'=(bn0|relu0)\(0\)|=channel_pool\w+\(1\)', text)

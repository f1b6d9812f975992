"""Convolutions of one map that run as one, against each of them alone."""

import json

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.ops.convolution import convolve_together
from gluon_cbam.ops.library import load
from gluon_cbam.ops.tracing import FusedBlock, quantization_symbol

X = np.random.RandomState(0).normal(0, 1, (2, 32, 14, 15)).astype('float32')


class Together(FusedBlock):
    def __init__(self, outputs, **settings):
        super().__init__()
        for number, channels in enumerate(outputs):
            settings = {'padding': 1, **settings}
            block = mx.gluon.nn.Conv2D(channels, 3, in_channels=32, bias_initializer=mx.init.Normal(1), **settings)
            self.register_child(block, str(number))

    def hybrid_forward(self, F, x):
        return tuple(convolve_together(F, x, list(self._children.values())))


def outcome(net):
    """Outputs, and gradients of the input and of every parameter."""
    x = mx.nd.array(X)
    x.attach_grad()
    with mx.autograd.record():
        outputs = net(x)
        weights = [mx.nd.array(np.random.RandomState(n).normal(size=o.shape)) for n, o in enumerate(outputs)]
        loss = sum((output * weight).sum() for output, weight in zip(outputs, weights))
    loss.backward()
    gradients = [parameter.grad() for parameter in net.collect_params().values()]
    return [value.asnumpy() for value in (*outputs, x.grad, *gradients)]


@pytest.mark.parametrize('outputs', [(84, 16), (32, 64), (5,), (126, 24)])
def test_outputs_and_gradients_are_those_of_each(outputs):
    net = Together(outputs)
    net.initialize(mx.init.Xavier())
    separate = outcome(net)
    net.hybridize(static_alloc=True, static_shape=True)
    for ours, theirs in zip(outcome(net), separate):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 2e-5 * np.abs(theirs).max()


@pytest.mark.skipif(load() is None, reason='the compiled operators cannot be used')
def test_they_run_as_one_on_a_cpu_only():
    net = Together((84, 16))
    net.initialize()
    net.hybridize()
    net(mx.nd.array(X))
    exported = [node['op'] for node in json.loads(mx.sym.Group(list(net(mx.sym.var('data')))).tojson())['nodes']]
    assert exported.count('Convolution') == 2
    quantized = [node['op'] for node in json.loads(mx.sym.Group(list(quantization_symbol(net))).tojson())['nodes']]
    assert quantized.count('Convolution') == 2
    assert net._cached_graph  # what is exported
    assert 'Convolution' in net._cached_graph[1].tojson()


@pytest.mark.filterwarnings('ignore:.*forward hook')
def test_others_are_called_each():
    """Another padding, or a hook that wants to see the block called."""
    net = Together((8, 4), padding=0)
    net.initialize()
    net.hybridize()
    assert [output.shape for output in net(mx.nd.array(X))] == [(2, 8, 12, 13), (2, 4, 12, 13)]
    watched, seen = Together((8, 4)), []
    watched.initialize()
    watched._children['0'].register_forward_hook(lambda block, x, y: seen.append(block))
    watched.hybridize()
    watched(mx.nd.array(X))
    assert seen

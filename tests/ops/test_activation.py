"""The operator and the block of PReLU against MXNet's."""

import json

import fused_ops
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_cbam.ops import activation, tracing
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.status import VARIABLE

# (N, C, ...) and the number of slopes
SIZES = [((2, 16, 7, 9), 16), ((1, 5, 13, 11), 5), ((3, 7, 1, 1), 1), ((4, 19), 19), ((4, 19), 1), ((2, 1, 33), 1)]
SIZES += [((2, 3, 3, 5, 7), 3), ((1, 40, 2, 64), 1)]


def theirs(x, gamma):
    return mx.nd.LeakyReLU(x, gamma, act_type='prelu')


def made(shape, slopes, dtype='float32'):
    """x with zeros among its values, slopes of both signs and 0, and the gradient of the output."""
    random = np.random.RandomState(0)
    x, gamma = random.randn(*shape), random.randn(slopes)
    x[random.rand(*shape) < 0.2] = 0
    gamma[slopes // 2 :: 5] = 0
    return [mx.nd.array(array, dtype=dtype) for array in (x, gamma, random.randn(*shape))]


def run(operator, x, gamma, head):
    for array in (x, gamma):
        array.attach_grad()
    with mx.autograd.record():
        y = operator(x, gamma)
    y.backward(head)
    return [array.asnumpy() for array in (y, x.grad, gamma.grad)]


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize(('shape', 'slopes'), SIZES)
def test_equals_mxnet(shape, slopes, dtype, operators):
    arrays = made(shape, slopes, dtype)
    found, expected = run(operators.nd.prelu, *arrays), run(theirs, *arrays)
    assert fused_ops.error(found[0], expected[0]) <= (0 if dtype == 'float32' else 1e-7), 'MXNet multiplies in float32'
    assert (found[1] == expected[1]).all(), 'at 0 as well'
    assert found[2].dtype == expected[2].dtype == dtype
    assert fused_ops.error(found[2], expected[2]) <= fused_ops.EPSILON[dtype][1]


def test_nan_as_in_mxnet(operators):
    x = mx.nd.array([[np.nan, np.inf, -np.inf]])
    for one, other in zip(*(run(op, x, mx.nd.array([0.5]), mx.nd.ones((1, 3))) for op in (operators.nd.prelu, theirs))):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('slopes', [1, 6])
def test_finite_differences(slopes, operators):
    x, gamma, head = made((2, 6, 4, 3), slopes, 'float64')
    x = mx.nd.where(x.abs() < 0.01, mx.nd.ones_like(x), x)  # not across the bend
    _, *gradients = run(operators.nd.prelu, x, gamma, head)
    step = 1e-4
    for array, gradient in zip((x, gamma), gradients):
        for place in np.ndindex(array.shape):
            sums = []
            for way in (step, -step):
                array[place] += way
                sums.append((operators.nd.prelu(x, gamma) * head).sum().asscalar())
                array[place] -= way
            assert (sums[0] - sums[1]) / (2 * step) == pytest.approx(gradient[place], abs=1e-7)


def test_many_values_are_added_exactly_enough(operators):
    """In float32, a slope's gradient over half a million values of one sign."""
    x = -mx.nd.random.uniform(0.5, 1.5, (4, 1, 360, 360))
    *_, found = run(operators.nd.prelu, x, mx.nd.array([0.25]), mx.nd.ones_like(x))
    assert found[0] == pytest.approx(x.asnumpy().astype('float64').sum(), rel=1e-6)


def test_the_block_is_mxnets(operators, monkeypatch, tmp_path):
    """It has the parameter, initialization, repr, files, exports and hooks of MXNet's block."""
    monkeypatch.setenv(VARIABLE, 'auto')
    x = mx.nd.array(np.random.RandomState(0).randn(2, 8, 5, 5))
    ours, plain = PReLU(in_channels=8, prefix='act_'), nn.PReLU(in_channels=8, prefix='act_')
    assert isinstance(ours, nn.PReLU)
    assert str(ours) == str(plain)
    assert [p.name for p in ours.collect_params().values()] == ['act_alpha']
    ours.initialize()
    assert (ours.alpha.data() == 0.25).asnumpy().all()
    ours.alpha.set_data(mx.nd.arange(-2, 6))
    ours.save_parameters(str(tmp_path / 'block'))
    plain.load_parameters(str(tmp_path / 'block'))
    seen = []
    hook = ours.register_forward_hook(lambda block, inputs, output: seen.append(output))
    assert (ours(x) == plain(x)).asnumpy().all()
    assert len(seen) == 1
    hook.detach()
    ours.hybridize()
    assert (ours(x) == plain(x)).asnumpy().all()
    ours.export(str(tmp_path / 'exported'))
    written = json.loads((tmp_path / 'exported-symbol.json').read_text())
    assert [node['op'] for node in written['nodes']] == ['null', 'null', 'LeakyReLU']
    data = mx.sym.Variable('data')
    assert tracing.export_symbol(ours, data).tojson() == plain(data).tojson()


@pytest.mark.parametrize('dtype', ['float16', 'float32'])
def test_falls_back_to_mxnets_operator(dtype, monkeypatch):
    """For another type, and if the environment disables the operators."""
    monkeypatch.setenv(VARIABLE, 'auto' if dtype == 'float16' else 'plain')
    block = PReLU()
    block.initialize()
    block.cast(dtype)
    x = mx.nd.array([[-2, 4]], dtype=dtype)
    assert block(x).asnumpy().tolist() == [[-0.5, 4]]
    assert block(x).dtype == np.dtype(dtype)


class Between(tracing.FusedBlock):
    """PReLU where MXNet can use the memory of its output's gradient for the gradient of its input."""

    def __init__(self, block):
        super().__init__()
        self.act = block(in_channels=6)

    def hybrid_forward(self, F, x):
        return F.sin(self.act(2 * x))


def slope_gradients(block, hybrid):
    net = Between(block)
    net.initialize()
    net.act.alpha.set_data(mx.nd.arange(-2, 4) / 10)
    if hybrid:
        net.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.array(np.random.RandomState(0).randn(3, 6, 5, 4))
    x.attach_grad()
    with mx.autograd.record():
        y = net(x)
    y.backward(mx.nd.array(np.random.RandomState(1).randn(*x.shape)))
    return net.act.alpha.grad().asnumpy(), net.act.alpha.data().asnumpy()


@pytest.mark.parametrize('kernels', ['auto', 'graph', 'plain'])
def test_trains_the_same_hybridized(kernels, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'plain')
    expected, _ = slope_gradients(nn.PReLU, hybrid=False)
    monkeypatch.setenv(VARIABLE, kernels)
    for hybrid in (False, True):
        assert fused_ops.error(slope_gradients(PReLU, hybrid)[0], expected) <= 1e-5


def test_mxnets_operator_has_wrong_gradients_in_graphs():
    """Its gradient of a slope is the slope times the correct one. Remove the workaround once this test fails."""
    expected, _ = slope_gradients(nn.PReLU, hybrid=False)
    found, slopes = slope_gradients(nn.PReLU, hybrid=True)
    assert fused_ops.error(found, slopes * expected) <= 1e-5
    assert fused_ops.error(found, expected) > 0.5


@pytest.mark.parametrize(('shape', 'slopes'), SIZES)
def test_the_composed_operators_equal_mxnets_operator(shape, slopes):
    arrays = made(shape, slopes)
    found = run(lambda x, gamma: activation._in_parts(mx.nd, x, gamma), *arrays)
    for one, other in zip(found, run(theirs, *arrays)):
        assert one.shape == other.shape
        assert fused_ops.error(one, other) <= 1e-6, 'at 0 as well'


def test_graphs_for_gpus(running, monkeypatch, tmp_path):
    """They run without MXNet's operator and export it."""
    monkeypatch.setattr(tracing, '_on_cpu', lambda args: False)
    net = Between(PReLU)
    net.initialize()
    net.hybridize()
    net(mx.nd.ones((2, 6, 3, 3)))
    net.export(str(tmp_path / 'net'))
    run, exported = running[-1], (tmp_path / 'net-symbol.json').read_text()
    assert '_cbam_' not in run + exported
    assert ('LeakyReLU' in run, 'LeakyReLU' in exported) == (False, True)

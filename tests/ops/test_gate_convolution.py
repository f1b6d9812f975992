"""The compiled convolution of a spatial gate against MXNet's and finite differences, and where it is used."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import CBAM
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.ops.backend import NativeBackend
from gluon_cbam.ops.library import GATE_CONVOLUTIONS
from gluon_cbam.ops.status import VARIABLE

# (N, C, H, W) and the side of the kernel: maps of one value, smaller than the kernel, of few and of many vectors, not
# square; batches whose gradients are added up in one group and in several
SIZES = [
    ((1, 1, 1, 1), 7),
    ((2, 2, 1, 1), 1),
    ((3, 2, 5, 2), 7),
    ((2, 3, 1, 43), 5),
    ((70, 2, 7, 7), 7),
    ((20, 2, 14, 14), 3),
    ((9, 2, 28, 28), 7),
    ((2, 4, 56, 56), 3),
    ((2, 2, 19, 70), 9),
]
ROUNDING = {'float32': 1e-5, 'float64': 1e-12}


def arrays_of(shape, side, has_bias, dtype='float64', seed=0):
    random = np.random.RandomState(seed)
    shapes = [shape, (1, shape[1], side, side), *([(1,)] if has_bias else [])]
    return [mx.nd.array(random.randn(*each), dtype=dtype) for each in shapes]


def head_of(shape, dtype='float64'):
    n, _, h, w = shape
    return mx.nd.array(np.random.RandomState(9).randn(n, 1, h, w), dtype=dtype)


def mxnets(*arrays):
    """MXNet's convolution, in float64."""
    side = arrays[1].shape[2]
    arrays = [array.astype('float64') for array in arrays]
    size = dict(kernel=(side,) * 2, pad=(side // 2,) * 2, num_filter=1)
    return mx.nd.Convolution(*arrays, no_bias=len(arrays) == 2, **size)


def ours(operators):
    return lambda *arrays: getattr(operators.nd, GATE_CONVOLUTIONS[len(arrays) - 2])(*arrays)


def run(convolve, arrays, head):
    """The output, and the gradient of every array."""
    for array in arrays:
        array.attach_grad()
    with mx.autograd.record():
        y = convolve(*arrays)
    y.backward(head.astype(y.dtype))
    return [y.asnumpy(), *(array.grad.asnumpy() for array in arrays)]


def assert_close(found, expected, rounding, scales=None):
    """Equal up to rounding, as a part of the largest value or of a scale."""
    for index, (one, other) in enumerate(zip(found, expected)):
        assert one.shape == other.shape
        scale = np.abs(other).max() if scales is None else max(np.abs(other).max(), scales[index])
        assert np.abs(one - other).max() <= rounding * scale, index


@pytest.mark.parametrize('dtype', ROUNDING)
@pytest.mark.parametrize('has_bias', [False, True])
@pytest.mark.parametrize(('shape', 'side'), SIZES)
def test_equals_mxnets_convolution(shape, side, has_bias, dtype, operators):
    arrays, head = arrays_of(shape, side, has_bias, dtype), head_of(shape, dtype)
    expected = run(mxnets, arrays, head)
    found = run(ours(operators), arrays, head)
    assert len(found) == len(arrays) + 1
    assert all(array.dtype == dtype for array in found)
    # sums of many values of both signs are small
    scales = [0, 0, *(np.sqrt(head.size) for _ in arrays[1:])]
    assert_close(found, expected, ROUNDING[dtype], scales)


@pytest.mark.parametrize(('shape', 'side'), SIZES)
def test_gradients_equal_finite_differences(shape, side, operators):
    """The slope of <output, head> along a random direction of every input; it is linear in each."""
    arrays, head = arrays_of(shape, side, True), head_of(shape)
    convolve = ours(operators)
    _, *gradients = run(convolve, arrays, head)
    for index, gradient in enumerate(gradients):
        direction = np.random.RandomState(index).randn(*gradient.shape)
        values = []
        for step in (1, -1):
            moved = [array.copy() for array in arrays]
            moved[index] += mx.nd.array(step * direction, dtype='float64')
            values.append((convolve(*moved) * head).sum().asscalar())
        slope, size = (values[0] - values[1]) / 2, np.abs(gradient * direction).sum()
        assert abs((gradient * direction).sum() - slope) <= 1e-10 * max(size, np.abs(values).max()), index


@pytest.mark.parametrize('has_bias', [False, True])
@pytest.mark.parametrize('request_', ['write', 'add'])
def test_requests(request_, has_bias, operators):
    """Every input alone and all together; gradients are arrays of their own, and parts of others."""
    shape, side = (5, 2, 9, 7), 7
    head = head_of(shape)
    _, *expected = run(mxnets, arrays_of(shape, side, has_bias), head)
    everything = range(len(expected))
    for wanted in (*([index] for index in everything), everything):
        for part in (False, True):
            arrays = arrays_of(shape, side, has_bias)
            inputs = [arrays[index] for index in wanted]
            wholes = [mx.nd.ones((array.shape[0] + 2, *array.shape[1:]), dtype='float64') for array in inputs]
            gradients = [whole[1:-1] if part else whole[1:-1].copy() for whole in wholes]
            mx.autograd.mark_variables(inputs, gradients, request_)
            for _ in range(2):
                with mx.autograd.record():
                    y = ours(operators)(*arrays)
                y.backward(head)
            for index, gradient in zip(wanted, gradients):
                total = 1 + 2 * expected[index] if request_ == 'add' else expected[index]
                assert_close([gradient.asnumpy()], [total], 1e-12)
            assert all((whole[end] == 1).asnumpy().all() for whole in wholes for end in (0, -1))


def test_takes_maps_and_gradients_of_convolutions(operators):
    """Arrays in a layout that a convolution before it, and the backward pass of one behind it, leave them in."""
    random = np.random.RandomState(1)
    x, first, last = (mx.nd.array(random.randn(*s)) for s in ((3, 16, 9, 9), (2, 16, 3, 3), (16, 1, 3, 3)))
    weight, head = mx.nd.array(random.randn(1, 2, 7, 7)), mx.nd.array(random.randn(3, 16, 9, 9))

    def network(convolve):
        size = dict(kernel=(3, 3), pad=(1, 1), no_bias=True)
        maps = mx.nd.Convolution(x, first, num_filter=2, **size)
        return mx.nd.Convolution(convolve(maps, weight), last, num_filter=16, **size)

    expected, found = (
        run(lambda *_, convolve=convolve: network(convolve), [x, first, weight, last], head)
        for convolve in (lambda maps, weight: mxnets(maps, weight).astype('float32'), ours(operators))
    )
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize(
    ('shapes', 'types', 'message'),
    [
        ([(2, 2, 4), (1, 2, 3, 3)], 'f4 f4', r'takes an \(N, C, H, W\) map, got the shape \[2,2,4\]'),
        ([(2, 2, 4, 4), (1, 3, 3, 3)], 'f4 f4', r'weight of the shape \[1,2,k,k\], k odd, .* got \[1,3,3,3\]'),
        ([(2, 2, 4, 4), (2, 2, 3, 3)], 'f4 f4', r'got \[2,2,3,3\]'),
        ([(2, 2, 4, 4), (1, 2, 4, 4)], 'f4 f4', r'got \[1,2,4,4\]'),
        ([(2, 2, 4, 4), (1, 2, 3, 5)], 'f4 f4', r'got \[1,2,3,5\]'),
        ([(2, 2, 4, 4), (1, 2, 3)], 'f4 f4', r'got \[1,2,3\]'),
        ([(2, 2, 4, 4), (1, 2, 3, 3), (2,)], 'f4 f4 f4', r'input 2 of the shape \[1\] with this map, got \[2\]'),
        ([(2, 2, 4, 4), (1, 2, 3, 3)], 'f4 f8', 'inputs of one type'),
        ([(2, 2, 4, 4), (1, 2, 3, 3)], 'f2 f2', 'takes float32 and float64'),
    ],
)
def test_bad_shapes_and_types(shapes, types, message, operators):
    arrays = [mx.nd.ones(shape, dtype=np.dtype(dtype).name) for shape, dtype in zip(shapes, types.split())]
    with pytest.raises(mx.base.MXNetError, match=message):
        ours(operators)(*arrays)


# ------------------------------------------------------------------------------------------------ where it is used


@pytest.mark.parametrize(
    ('make', 'name'),
    [
        (lambda: CBAM(8, 4), '"_cbam_gate_convolution"'),
        (lambda: CBAM(8, 4, kernel_size=3, order='parallel'), '"_cbam_gate_convolution"'),
        (lambda: CBAM(8, 4, spatial_pool='conv1x1'), '"_cbam_gate_convolution"'),
        (lambda: CBAM(8, 4, spatial_norm=False), '"_cbam_gate_convolution_bias"'),
        (lambda: ModifiedCBAM(8, 4), '"_cbam_gate_convolution"'),
    ],
)
def test_gates_use_it(make, name, operators, running):
    net = checks.fill(make())
    net.hybridize()
    with mx.autograd.record():
        net(mx.nd.ones((2, 8, 5, 5)))
    assert name in running[-1]
    assert '"kernel": "(7, 7)"' not in running[-1]
    assert '"kernel": "(3, 3)"' not in running[-1]


@pytest.mark.parametrize('kernels', ['graph', 'plain'])
def test_it_is_left_out(kernels, running, monkeypatch):
    monkeypatch.setenv(VARIABLE, kernels)
    net = checks.fill(CBAM(8, 4))
    net.hybridize()
    with mx.autograd.record():
        net(mx.nd.ones((2, 8, 5, 5)))
    assert 'gate_convolution' not in running[-1]
    assert '"kernel": "(7, 7)"' in running[-1]


class Doubled(mx.gluon.nn.Conv2D):
    """A convolution with equations of its own."""

    def hybrid_forward(self, F, x, weight, bias=None):
        return 2 * super().hybrid_forward(F, x, weight, bias)


class Counter:
    """The compiled operators that are called."""

    def __init__(self, operators):
        self._operators, self.called = operators, []

    def __getattr__(self, name):
        self.called.append(name)
        return getattr(self._operators, name)


@pytest.mark.parametrize(
    ('layer', 'options', 'maps', 'used'),
    [
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=7, padding=3), 2, True),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=1, use_bias=False), 4, True),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=1), 5, False),
        (mx.gluon.nn.Conv2D, dict(channels=2, kernel_size=3, padding=1), 2, False),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=2, dilation=2), 2, False),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=(3, 5), padding=(1, 2)), 2, False),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=0), 2, False),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=1, strides=2), 2, False),
        (mx.gluon.nn.Conv2D, dict(channels=1, kernel_size=3, padding=1, activation='relu'), 2, False),
        (Doubled, dict(channels=1, kernel_size=3, padding=1), 2, False),
    ],
)
def test_other_layers_are_called(layer, options, maps, used, operators):
    """The outputs are those of the layer; a layer that is watched is called, too."""
    conv = layer(in_channels=maps, **options)
    conv.initialize()
    x = mx.nd.random.normal(shape=(2, maps, 9, 8))
    expected, counter = conv(x).asnumpy(), Counter(operators.nd)
    ops = NativeBackend(mx.nd, counter)
    assert_close([ops.spatial_logits(x, conv, None).asnumpy()], [expected], 1e-5)
    assert any(name in GATE_CONVOLUTIONS for name in counter.called) is used
    for register in (conv.register_forward_hook, conv.register_forward_pre_hook):
        counter.called.clear()
        seen = []
        handle = register(lambda *arguments, seen=seen: seen.append(arguments))
        ops.spatial_logits(x, conv, None)
        handle.detach()
        assert len(seen) == 1
        assert not counter.called


def test_batch_norm_counts_each_step_once(monkeypatch):
    """Running statistics after three steps, against MXNet's operators."""
    found = []
    for kernels in ('auto', 'plain'):
        monkeypatch.setenv(VARIABLE, kernels)
        for hybrid in (False, True):
            net = checks.fill(CBAM(8, 4))
            if hybrid:
                net.hybridize(static_alloc=True, static_shape=True)
            for step in range(3):
                with mx.autograd.record():
                    y = net(mx.nd.array(np.random.RandomState(step).randn(4, 8, 6, 6)))
                y.backward()
            mx.nd.waitall()  # BatchNorm changes them in its backward pass, for which MXNet's arrays do not wait
            norm = net.spatial.bn
            found.append([norm.running_mean.data().asnumpy(), norm.running_var.data().asnumpy()])
    for statistics in found[:-1]:
        assert_close(statistics, found[-1], 1e-5)

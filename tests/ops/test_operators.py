"""Every compiled operator, forward and backward, against numpy: types, sizes, layouts, requests, errors."""

import functools

import fused_ops
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.ops.library import NAMES

# (N, C, H, W): positions below, at and above the tile of 64, channels that do not fill blocks of 8 and 16
SHAPES = [(2, 16, 7, 9), (1, 24, 8, 8), (1, 1, 5, 1), (3, 5, 13, 11), (1, 35, 1, 1), (2, 40, 3, 43)]

# (N, C, H, W), and the channels and kernel of a convolution that leaves it in this layout on processors with AVX-512;
# on others it may be another. Rows is (N, H, W, C); what is padded is copied.
LAID_OUT = {
    'rows': ((3, 48, 14, 11), 64, 1),
    'blocks of 16': ((2, 48, 7, 7), 256, 3),
    'many blocks of 16': ((1, 512, 14, 14), 256, 1),
    'blocks of 8': ((2, 24, 9, 9), 64, 1),
}
SIZE = LAID_OUT['blocks of 16'][0]
EVERYTHING = 'scale_channel_spatial_add_relu'


def random(shape, seed, dtype='float32'):
    return np.random.RandomState(seed).randn(*shape).astype(dtype)


def random_array(shape, seed):
    return mx.nd.array(random(shape, seed))


def convolved(shape, seed, channels=256, kernel=3):
    """A map in the layout that a convolution leaves it in."""
    n, c, h, w = shape
    x = mx.nd.array(random((n, channels, h, w), seed))
    weight = mx.nd.array(random((c, channels, kernel, kernel), seed + 1) / np.sqrt(channels) / kernel)
    return mx.nd.Convolution(x, weight, kernel=(kernel,) * 2, pad=(kernel // 2,) * 2, num_filter=c, no_bias=True)


def run(operator, inputs, heads, **requests):
    """Outputs and gradients of an operator."""
    for array in inputs:
        array.attach_grad(**requests)
    with mx.autograd.record():
        outputs = operator(*inputs)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    mx.autograd.backward(outputs, heads)
    return [array.asnumpy() for array in outputs], [array.grad.asnumpy() for array in inputs]


def head_shapes(name, shape):
    n, c, h, w = shape
    kinds = {'global': [(n, c), (n, c), shape], 'channel': [(n, 2, h, w), shape], 'scale': [shape], 'prelu': [shape]}
    return kinds[name.split('_')[0]]


def values(arrays):
    return [array.asnumpy() for array in arrays]


def check(name, found, expected, dtype='float32'):
    for kind, limit, ours, theirs in zip(('output', 'gradient'), fused_ops.EPSILON[dtype], found, expected):
        assert len(ours) == len(theirs)
        for index, (one, other) in enumerate(zip(ours, theirs)):
            assert one.shape == other.shape
            assert fused_ops.error(one, other) <= limit, f'{kind} {index} of {name}'


def check_arrays(operators, name, inputs, heads, dtype='float32'):
    expected = fused_ops.run(name, values(inputs), values(heads))
    check(name, run(getattr(operators.nd, name), inputs, heads), expected, dtype)


def made_for(name, shape=SIZE, made=convolved, seed=1):
    """Inputs and heads of an operator, each map from ``made``."""
    sizes = fused_ops.inputs_of(name, shape), head_shapes(name, shape)
    return tuple(
        [(made if s == shape else random_array)(s, seed + i) for i, s in enumerate(shapes)]
        for seed, shapes in zip((seed, seed + 6), sizes)
    )


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('name', NAMES)
def test_equals_numpy(name, dtype, operators):
    for shape in SHAPES:
        inputs = [mx.nd.array(random(s, i, dtype), dtype=dtype) for i, s in enumerate(fused_ops.inputs_of(name, shape))]
        heads = [mx.nd.array(random(s, 9 + i, dtype), dtype=dtype) for i, s in enumerate(head_shapes(name, shape))]
        check_arrays(operators, name, inputs, heads, dtype)


@pytest.mark.parametrize('layout', LAID_OUT)
@pytest.mark.parametrize('name', NAMES)
def test_takes_the_layouts_of_convolutions(name, layout, operators):
    shape, channels, kernel = LAID_OUT[layout]
    made = functools.partial(convolved, channels=channels, kernel=kernel)
    check_arrays(operators, name, *made_for(name, shape, made))


@pytest.mark.parametrize(
    'name', ['global_pool', 'channel_pool_gated_max_mean', 'scale_channel_add', 'prelu', EVERYTHING]
)
def test_takes_maps_of_different_layouts(name, operators):
    shape, channels, _ = LAID_OUT['many blocks of 16']
    blocks = functools.partial(convolved, channels=channels, kernel=1)
    rows = functools.partial(convolved, channels=3, kernel=1)
    for first, second in ((blocks, rows), (rows, blocks), (random_array, rows), (blocks, random_array)):
        inputs, heads = made_for(name, shape, first)
        heads[-1] = second(shape, 8)
        if '_add' in name:
            inputs[-1] = second(shape, 9)
        check_arrays(operators, name, inputs, heads)


@pytest.mark.parametrize('layout', LAID_OUT)
@pytest.mark.parametrize('name', ['channel_pool_gated_mean_max', 'scale_channel', EVERYTHING])
def test_recomputes_a_map_from_the_input_of_batch_norm(name, layout, operators):
    """Gradients of the other inputs, for which the map is not kept where it is an output of BatchNorm."""
    shape, channels, kernel = LAID_OUT[layout]
    z = convolved(shape, 1, channels, kernel)
    (_, *others), heads = made_for(name, shape, functools.partial(convolved, channels=channels, kernel=kernel))
    gamma, beta, mean, variance = (random_array((shape[1],), seed) for seed in range(4))
    for array in (z, *others):
        array.attach_grad()
    with mx.autograd.record():
        x = mx.nd.BatchNorm(z, gamma, beta, mean, variance.abs(), fix_gamma=False)
        outputs = getattr(operators.nd, name)(x, *others)
    mx.autograd.backward(outputs, heads)
    _, (_, *expected) = fused_ops.run(name, values([x, *others]), values(heads))
    for array, gradient in zip(others, expected):
        assert fused_ops.error(array.grad.asnumpy(), gradient) <= 1e-4


@pytest.mark.parametrize('name', ['global_pool', 'channel_pool_gated_mean_max', 'prelu', EVERYTHING])
def test_views_of_arrays(name, operators):
    def part(shape, seed):
        return convolved((shape[0] + 2, *shape[1:]), seed)[1:-1]

    check_arrays(operators, name, *made_for(name, made=part))


@pytest.mark.parametrize('name', NAMES)
def test_adds_to_gradients(name, operators):
    inputs, heads = made_for(name)
    expected = fused_ops.run(name, values(inputs), values(heads))[1]
    for array in inputs:
        array.attach_grad('add')
        array.grad[:] = 1
    for _ in range(2):
        with mx.autograd.record():
            outputs = getattr(operators.nd, name)(*inputs)
        mx.autograd.backward(outputs, heads)
    for array, gradient in zip(inputs, expected):
        assert fused_ops.error(array.grad.asnumpy(), 1 + 2 * gradient) <= 1e-4


@pytest.mark.parametrize('request_', ['write', 'add'])
@pytest.mark.parametrize('name', ['global_pool', 'channel_pool_gated_max_mean', 'prelu', EVERYTHING])
def test_writes_gradients_into_views(name, request_, operators):
    """A gradient that is a part of an array, and one that a convolution has laid out."""
    for part in (False, True):
        inputs, heads = made_for(name)
        before = [convolved(SIZE, 20 + i) if a.shape == SIZE else mx.nd.ones(a.shape) for i, a in enumerate(inputs)]
        if part:
            wholes = [mx.nd.ones((array.shape[0] + 2, *array.shape[1:])) for array in inputs]
            before = [whole[1:-1] for whole in wholes]
        kept = values(before) if request_ == 'add' else [0] * len(before)
        expected = fused_ops.run(name, values(inputs), values(heads))[1]
        mx.autograd.mark_variables(inputs, before, request_)
        with mx.autograd.record():
            outputs = getattr(operators.nd, name)(*inputs)
        mx.autograd.backward(outputs, heads)
        for found, old, gradient in zip(before, kept, expected):
            assert fused_ops.error(found.asnumpy(), old + gradient) <= 1e-4
        if part:
            assert all((whole[0] == 1).asnumpy().all() and (whole[-1] == 1).asnumpy().all() for whole in wholes)


@pytest.mark.parametrize('name', [EVERYTHING, 'prelu'])
def test_gradients_that_are_not_needed(name, operators):
    for wanted in range(len(fused_ops.inputs_of(name, SIZE))):
        inputs, heads = made_for(name)
        expected = fused_ops.run(name, values(inputs), values(heads))[1]
        inputs[wanted].attach_grad()
        with mx.autograd.record():
            y = getattr(operators.nd, name)(*inputs)
        y.backward(heads[0])
        assert fused_ops.error(inputs[wanted].grad.asnumpy(), expected[wanted]) <= 1e-4


@pytest.mark.parametrize('hybrid', [{}, {'static_alloc': True, 'static_shape': True}], ids=['dynamic', 'static'])
@pytest.mark.parametrize('train', [True, False])
def test_some_outputs_in_a_graph(hybrid, train, operators):
    """Outputs that are not used, a map that is used twice, and gradients in inference."""
    x, y = mx.sym.Variable('x'), mx.sym.Variable('y')
    mean, maximum, _ = operators.sym.global_pool(x)
    pooled, _ = operators.sym.channel_pool_max_mean(y)
    outputs = mx.sym.Group([maximum, pooled, x * 2 + y])
    cached = mx.nd.CachedOp(outputs, list(hybrid.items()))
    for seed in (1, 2):
        a, b = convolved(SIZE, seed), convolved(SIZE, seed + 9)
        heads = [mx.nd.array(random(shape, 5)) for shape in (SIZE[:2], (2, 2, 7, 7), SIZE)]
        dmaximum, dpooled, dsum = values(heads)
        (_, peaks, _), (da,) = fused_ops.run('global_pool', values([a]), [0 * dmaximum, dmaximum, 2 * dsum])
        (pooled, _), (db,) = fused_ops.run('channel_pool_max_mean', values([b]), [dpooled, dsum])
        for array in (a, b):
            array.attach_grad()
        with mx.autograd.record(train_mode=train):
            found = cached(a, b)
        mx.autograd.backward(found, heads)
        check('graph', ([f.asnumpy() for f in found[:2]], [a.grad.asnumpy(), b.grad.asnumpy()]),
              ([peaks, pooled], [da, db]))  # fmt: skip


def test_gradients_of_ties_go_to_the_first_maximum(operators):
    for x in (mx.nd.zeros((1, 40, 9, 9)), mx.nd.ones((1, 3, 9, 9)), 0 * convolved(SIZE, 1)):
        n, c, h, w = x.shape
        for name, head, first in (
            ('global_pool', mx.nd.ones((n, c)), (slice(None), slice(None), 0, 0)),
            (
                'channel_pool_max_mean',
                mx.nd.concat(mx.nd.ones((n, 1, h, w)), mx.nd.zeros((n, 1, h, w))),
                (slice(None), 0),
            ),
        ):
            x.attach_grad()
            with mx.autograd.record():
                outputs = getattr(operators.nd, name)(x)
            outputs[1 if name == 'global_pool' else 0].backward(head)
            expected = np.zeros(x.shape)
            expected[first] = 1
            assert (x.grad.asnumpy() == expected).all(), name


def test_ties_in_every_layout(operators):
    """Maxima that are equal in different blocks, lanes and rows."""
    for shape, channels, kernel in LAID_OUT.values():
        weight = np.zeros((shape[1], channels, kernel, kernel), 'f')
        weight[:, 0, kernel // 2, kernel // 2] = 1  # every channel is the first of the input
        data = random((shape[0], channels, *shape[2:]), 1)
        data[:, 0, 3, 3] = data[:, 0, 5, 1] = 9
        x, weight = mx.nd.array(data), mx.nd.array(weight)
        size = dict(kernel=(kernel,) * 2, pad=(kernel // 2,) * 2, num_filter=shape[1])
        x = mx.nd.Convolution(x, weight, no_bias=True, **size)
        gate = mx.nd.array(np.where(np.arange(shape[1]) % 7 == 3, 1, 0.5)[None].repeat(shape[0], 0))
        for name, inputs in (('global_pool', [x]), ('channel_pool_gated_max_mean', [x, gate])):
            heads = [mx.nd.array(random(s, i)) for i, s in enumerate(head_shapes(name, shape))]
            check_arrays(operators, name, inputs, heads)


def test_prelu_at_0_in_every_layout(operators):
    """The gradient there is that of a negative value, as MXNet's is."""
    for shape, channels, kernel in LAID_OUT.values():
        weight = random((shape[1], channels, kernel, kernel), 2)
        weight[::3] = 0
        x = mx.nd.array(random((shape[0], channels, *shape[2:]), 1))
        size = dict(kernel=(kernel,) * 2, pad=(kernel // 2,) * 2, num_filter=shape[1])
        x = mx.nd.Convolution(x, mx.nd.array(weight), no_bias=True, **size)
        check_arrays(operators, 'prelu', [x, random_array(shape[1:2], 3)], [random_array(shape, 4)])
        assert (x.asnumpy()[:, ::3] == 0).all()


@pytest.mark.parametrize(
    ('name', 'shapes', 'types', 'message'),
    [
        ('global_pool', [(2, 3, 4)], 'f4', r'takes an \(N, C, H, W\) map, got the shape \[2,3,4\]'),
        ('global_pool', [(2, 3, 4, 4)], 'f2', 'takes float32 and float64'),
        ('scale_channel', [(2, 3, 4, 4), (2, 4)], 'f4 f4', r'input 1 of the shape \[2,3\] with this map, got \[2,4\]'),
        ('scale_spatial_add', [(2, 3, 4, 4), (2, 1, 4, 4), (2, 3, 4, 5)], 'f4 f4 f4', 'input 2 of the shape'),
        ('channel_pool_gated_max_mean', [(2, 3, 4, 4), (2, 3, 1, 1)], 'f4 f4', 'input 1 of the shape'),
        ('scale_channel', [(2, 3, 4, 4), (2, 3)], 'f4 f8', 'inputs of one type'),
        (
            'prelu',
            [(2, 3, 4, 4), (2,)],
            'f4 f4',
            r'one slope, or one a channel, .* \[2,3,4,4\], got the shape \[2\]',
        ),
        ('prelu', [(2, 3, 4, 4), (1, 3)], 'f4 f4', r'got the shape \[1,3\]'),
        ('prelu', [(3,), (3,)], 'f4 f4', r'takes an \(N, C, ...\) input, got the shape \[3\]'),
        ('prelu', [(2, 3), (3,)], 'f2 f2', 'takes float32 and float64'),
    ],
)
def test_bad_shapes_and_types(name, shapes, types, message, operators):
    arguments = [mx.nd.ones(shape, dtype=np.dtype(dtype).name) for shape, dtype in zip(shapes, types.split())]
    with pytest.raises(mx.base.MXNetError, match=message):
        getattr(operators.nd, name)(*arguments)
    mean, maximum, _ = operators.nd.global_pool(mx.nd.ones((2, 3, 4, 4)))
    assert (mean == 1).asnumpy().all()
    assert (maximum == 1).asnumpy().all()


def test_several_contexts(operators):
    arrays = [random(size, 1) for size in fused_ops.inputs_of(EVERYTHING, (2, 16, 9, 9))]
    found = []
    for device in (mx.cpu(0), mx.cpu(1)):
        inputs = [mx.nd.array(array, ctx=device) for array in arrays]
        outputs, gradients = run(getattr(operators.nd, EVERYTHING), inputs, [mx.nd.ones((2, 16, 9, 9), ctx=device)])
        assert inputs[0].grad.context == device
        found.append([*outputs, *gradients])
    assert all((one == other).all() for one, other in zip(*found))

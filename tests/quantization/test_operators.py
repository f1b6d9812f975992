"""The operators for maps of integers, against numpy."""

import ctypes

import mxnet as mx
import numpy as np
import pytest
from mxnet.base import _LIB, OpHandle, c_str, check_call
from mxnet.ndarray.register import _make_ndarray_function

from gluon_cbam.ops import library, status

pytestmark = pytest.mark.skipif(
    not status.operators_status().ok, reason=f'compiled operators: {status.operators_status().detail}'
)
SHAPES = ((2, 16, 7, 5), (1, 80, 9, 9), (3, 64, 1, 1), (1, 256, 14, 14))  # tiles of 64 positions, runs of 64 channels


def operator(name):
    assert library.load() is not None
    handle = OpHandle()
    check_call(_LIB.NNGetOpHandle(c_str(f'_cbam_{name}'), ctypes.byref(handle)))
    return _make_ndarray_function(handle, f'_cbam_{name}', name)


def integers(random, shape, dtype, greatest):
    """A quantized array with its range, and its real values."""
    low = 0 if dtype == 'uint8' else -127
    numbers = random.randint(low, 256 if dtype == 'uint8' else 128, shape)
    step = greatest / (255 if dtype == 'uint8' else 127)
    arrays = [mx.nd.array(numbers, dtype=dtype), mx.nd.array([low and -greatest]), mx.nd.array([greatest])]
    return arrays, numbers * step


def close(found, wanted, tolerance=2e-6):
    np.testing.assert_allclose(found.asnumpy(), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize('dtype', ['int8', 'uint8'])
@pytest.mark.parametrize('shape', SHAPES)
def test_global_pool(shape, dtype):
    arrays, values = integers(np.random.RandomState(0), shape, dtype, 1.7)
    mean, maximum = operator('quantized_global_pool')(*arrays)
    close(mean, values.mean(axis=(2, 3)))
    close(maximum, values.max(axis=(2, 3)))


@pytest.mark.parametrize('order', ['max_mean', 'mean_max'])
@pytest.mark.parametrize('shape', SHAPES)
def test_channel_pool(shape, order):
    random = np.random.RandomState(1)
    arrays, values = integers(random, shape, 'int8', 0.6)
    gate = random.rand(*shape[:2]).astype('float32')
    gated = values * gate[:, :, None, None]
    both = {'max': gated.max(axis=1), 'mean': gated.mean(axis=1)}
    found = operator(f'quantized_channel_pool_gated_{order}')(*arrays, mx.nd.array(gate))
    close(found, np.stack([both[name] for name in order.split('_')], axis=1))


@pytest.mark.parametrize('dtype', ['int8', 'uint8'])
@pytest.mark.parametrize('shape', SHAPES)
def test_scale(shape, dtype):
    """Equal to the nearest integer, except where the value is halfway between two, up to rounding."""
    random = np.random.RandomState(2)
    arrays, values = integers(random, shape, 'int8', 3.0)
    shortcut, added = integers(random, shape, dtype, 2.0)
    channel, spatial = random.rand(*shape[:2]).astype('float32'), random.rand(shape[0], 1, *shape[2:]).astype('float32')
    limit = 1.5
    found, low, high = operator('quantized_scale')(
        *arrays, mx.nd.array(channel), mx.nd.array(spatial), *shortcut, mx.nd.array([limit])
    )
    assert (found.dtype, low.asscalar(), high.asscalar()) == (np.uint8, 0, limit)
    exact = np.clip((values * channel[:, :, None, None] * spatial + added) * 255 / limit, 0, 255)
    assert np.abs(found.asnumpy() - exact).max() < 0.5 + 1e-3
    assert (exact == 0).any() and (exact == 255).any(), 'both ends are seen'


@pytest.mark.parametrize(('batch', 'channels', 'hidden'), [(1, 64, 4), (3, 80, 5), (8, 256, 16)])
def test_channel_gate(batch, channels, hidden):
    random = np.random.RandomState(3)
    draw = lambda *shape: random.randn(*shape).astype('float32')  # noqa: E731
    mean, maximum = draw(batch, channels), draw(batch, channels)
    weight1, bias1, weight2, bias2 = draw(hidden, channels), draw(hidden), draw(channels, hidden) / 10, draw(channels)
    mlp = lambda x: np.maximum(x @ weight1.T + bias1, 0) @ weight2.T + bias2  # noqa: E731
    found = operator('channel_gate')(*map(mx.nd.array, (mean, maximum, weight1, bias1, weight2, bias2)))
    close(found, 1 / (1 + np.exp(-mlp(mean) - mlp(maximum))), 1e-5)


@pytest.mark.parametrize('shape', [(2, 2, 7, 5), (1, 2, 16, 33), (3, 2, 1, 1)])
@pytest.mark.parametrize('side', [3, 7])
def test_spatial_gate(side, shape):
    random = np.random.RandomState(3)
    maps, weight = random.randn(*shape), random.randn(1, 2, side, side) / side
    gamma, beta, mean, variance = 1.3, -0.2, 0.4, 0.7
    padded = np.pad(maps, [(0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    convolved = np.einsum('nchwij,cij->nhw', windows, weight[0])[:, None]
    wanted = 1 / (1 + np.exp(-((convolved - mean) / np.sqrt(variance + 1e-5) * gamma + beta)))
    scalars = ([value] for value in (gamma, beta, mean, variance))
    close(operator('spatial_gate')(*map(mx.nd.array, (maps, weight, *scalars))), wanted)


def test_unsigned_integers_are_refused_before_gates():
    arrays, _ = integers(np.random.RandomState(0), (1, 16, 4, 4), 'uint8', 1.0)
    with pytest.raises(mx.MXNetError, match='signed integers'):
        operator('quantized_channel_pool_gated_max_mean')(*arrays, mx.nd.ones((1, 16)))


def test_channels_that_do_not_fit():
    arrays, _ = integers(np.random.RandomState(0), (1, 24, 4, 4), 'int8', 1.0)
    with pytest.raises(mx.MXNetError, match='multiples of 16 channels'):
        operator('quantized_global_pool')(*arrays)

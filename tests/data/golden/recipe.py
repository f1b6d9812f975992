"""Deterministic parameters: every tensor depends only on its name and shape."""

import zlib

import numpy as np


def fill(name, shape):
    """float32 array of `shape` for the parameter called `name` (the reference's own name)."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    shape = tuple(int(n) for n in shape)
    last = name.rsplit('.', 1)[-1]
    if last in ('running_var', 'moving_var') or name.endswith('_moving_var'):
        out = 0.5 + rng.rand(*shape)
    elif last in ('running_mean', 'moving_mean') or name.endswith('_moving_mean'):
        out = 0.1 * rng.randn(*shape)
    elif len(shape) >= 2:  # convolution and fully connected weights
        out = rng.randn(*shape) * np.sqrt(1.5 / np.prod(shape[1:]))
    elif last == 'bias' or name.endswith('_beta') or name.endswith('_bias'):
        out = 0.1 * rng.randn(*shape)
    else:  # BatchNorm scale, PReLU slope
        out = 0.4 + 0.2 * rng.rand(*shape)
    return out.astype('float32')


def images(shape, seed=7):
    """float32 standard-normal input of `shape` (NCHW)."""
    return np.random.RandomState(seed).randn(*shape).astype('float32')

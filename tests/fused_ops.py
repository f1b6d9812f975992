"""The fused ops of gluon_cbam.ops in numpy, forward and backward, in float64, written from their definitions."""

import numpy as np

EPSILON = {'float32': (1e-5, 1e-4), 'float64': (1e-12, 1e-12)}
"""Type -> largest error of the outputs and of the gradients, as parts of the largest value."""


def inputs_of(name, shape):
    """Shapes of the inputs of an operator, the map first."""
    n, c, h, w = shape
    others = {'_gated': (n, c), '_channel': (n, c), '_spatial': (n, 1, h, w), '_add': shape, 'prelu': (c,)}
    return [shape, *(size for part, size in others.items() if part in name)]


def run(name, inputs, heads):
    """The outputs of an operator for inputs, and the gradients of the inputs for those of the outputs."""
    inputs, heads = ([np.asarray(array, 'float64') for array in arrays] for arrays in (inputs, heads))
    kind = name.split('_')[0]
    run_kind = {'global': _global_pool, 'channel': _channel_pool, 'scale': _scale, 'prelu': _prelu}[kind]
    return run_kind(name, inputs, heads)


def _global_pool(_, inputs, heads):
    (x,), (dmean, dmaximum, dx) = inputs, heads
    n, c, h, w = x.shape
    flat = x.reshape(n, c, -1)
    first = np.zeros_like(flat)
    np.put_along_axis(first, flat.argmax(2)[..., None], 1, 2)  # argmax gives the first of equal values
    gradient = dx.reshape(flat.shape) + dmean[..., None] / (h * w) + dmaximum[..., None] * first
    return [flat.mean(2), flat.max(2), x], [gradient.reshape(x.shape)]


def _channel_pool(name, inputs, heads):
    x, *gate = inputs
    pooled, dx = heads
    factor = gate[0][:, :, None, None] if gate else 1.0
    gated = x * factor
    order = name.split('_')[-2:]
    outputs = {'max': gated.max(1, keepdims=True), 'mean': gated.mean(1, keepdims=True)}
    dmaximum, dmean = (pooled[:, order.index(kind), None] for kind in ('max', 'mean'))
    first = np.zeros_like(x)
    np.put_along_axis(first, gated.argmax(1)[:, None], 1, 1)
    through = dmean / x.shape[1] + dmaximum * first
    gradients = [dx + through * factor, *([(through * x).sum((2, 3))] if gate else [])]
    return [np.concatenate([outputs[kind] for kind in order], 1), x], gradients


def _scale(name, inputs, heads):
    x, *rest = inputs
    given = {part: rest.pop(0) for part in ('channel', 'spatial', 'add') if part in name.split('_')}
    channel = given['channel'][:, :, None, None] if 'channel' in given else 1.0
    spatial = given.get('spatial', 1.0)
    y = x * channel * spatial + given.get('add', 0.0)
    dy = heads[0]
    if name.endswith('relu'):
        dy, y = dy * (y > 0), np.maximum(y, 0)
    gradients = {
        'channel': lambda: (dy * x * spatial).sum((2, 3)),
        'spatial': lambda: (dy * x * channel).sum(1, keepdims=True),
        'add': lambda: dy,
    }
    return [y], [dy * channel * spatial, *(gradients[part]() for part in given)]


def _prelu(_, inputs, heads):
    (x, gamma), (dy,) = inputs, heads
    slopes = gamma.reshape(1, -1, *[1] * (x.ndim - 2))
    below = np.where(x > 0, 0, dy * x)
    dgamma = below.sum((0, *range(2, x.ndim))) if len(gamma) > 1 else below.sum(keepdims=True).reshape(1)
    return [np.where(x > 0, x, x * slopes)], [np.where(x > 0, dy, dy * slopes), dgamma]


def error(found, expected):
    """The largest difference, as a part of the largest value."""
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)

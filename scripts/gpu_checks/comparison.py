"""A block on two devices: outputs and gradients, and how far they are apart."""

from typing import Callable, Dict, Tuple

import mxnet as mx
import numpy as np

Arrays = Dict[str, np.ndarray]


def outcome(block: mx.gluon.HybridBlock, images: np.ndarray, device: mx.Context) -> Arrays:
    """The output of inference, and of training the output, the running statistics and the gradients.

    Args:
        block: its parameters are on the device.
        images: (N, C, H, W).
        device: the device.

    Returns:
        The arrays by name; of running statistics and gradients the parameter's name.
    """
    x = mx.nd.array(images, ctx=device)
    found = {'output': block(x).asnumpy()}
    x.attach_grad()
    with mx.autograd.record():
        y = block(x)
        heads = np.random.RandomState(1).standard_normal(y.shape)
        loss = (y * mx.nd.array(heads, ctx=device)).sum()
    loss.backward()
    found['output in training'], found['gradient of the images'] = y.asnumpy(), x.grad.asnumpy()
    for name, parameter in block._collect_params_with_prefix().items():
        found[name] = (parameter.data() if parameter.grad_req == 'null' else parameter.grad()).asnumpy()
    return found


def distances(found: Arrays, expected: Arrays) -> Tuple[float, float]:
    """How far two outcomes are apart.

    Args:
        found: of :func:`outcome`.
        expected: of :func:`outcome`.

    Returns:
        The largest difference of outputs as a part of the largest value; and of everything else the largest norm of a
        difference as a part of the norm of its array, where arrays that are zero but for rounding count as a hundredth
        of the largest array.
    """
    outputs = max(_apart(found[name], expected[name], np.max) for name in ('output', 'output in training'))
    others = [name for name in expected if not name.startswith('output')]
    largest = max(_size(expected[name]) for name in others)
    return outputs, max(
        np.linalg.norm(found[name] - expected[name]) / np.sqrt(found[name].size)
        / max(_size(expected[name]), largest / 100, 1e-30)
        for name in others
    )  # fmt: skip


def _size(array: np.ndarray) -> float:
    """The root of the mean square."""
    return float(np.linalg.norm(array) / np.sqrt(max(array.size, 1)))


def _apart(found: np.ndarray, expected: np.ndarray, largest: Callable) -> float:
    return float(largest(np.abs(found - expected)) / max(largest(np.abs(expected)), 1e-30))

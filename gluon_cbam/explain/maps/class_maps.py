"""Maps of a batch that show which parts of the images speak for a class."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

import numpy as np

from gluon_cbam.common.errors import UsageError

from .grid import Grid

Targets = Union[None, int, Sequence[int], np.ndarray]
"""The class of the maps: one for all images, one for each, or None for the predicted one."""


class ClassMaps(NamedTuple):
    """Class activation maps of a batch.

    Attributes:
        maps: (N, H, W) float32 at the resolution of the layer's feature map, in 0..1; the maximum of each image is 1,
            or all values are 0 where no position has positive evidence for the class.
        classes: (N,) int64, the class of each image.
        layer: path of the block whose output was weighted; ``input`` for maps of the pixels.
        logits: (N, classes), the network's output.
        grid: positions of the maps' cells on the images, for :func:`~gluon_cbam.explain.upsample_map`; None where they
            are not known, or divide the images evenly.
    """

    maps: np.ndarray
    classes: np.ndarray
    layer: str
    logits: np.ndarray
    grid: Optional[Grid] = None


def scaled_to_peak(heat: np.ndarray) -> np.ndarray:
    """Scale the positive part of each map to a maximum of 1.

    Args:
        heat: (N, H, W) floats.

    Returns:
        (N, H, W) float32 in 0..1; 0 everywhere where a map has no positive value.
    """
    heat = np.maximum(heat, 0)
    peak = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, peak, out=np.zeros_like(heat), where=peak > 0).astype(np.float32)


def checked_targets(targets: Targets, logits: np.ndarray) -> np.ndarray:
    """The class of each image.

    Args:
        targets: see :data:`Targets`.
        logits: (N, classes).

    Returns:
        (N,) integers.

    Raises:
        UsageError: a target is no class, or there are more or fewer than images.
    """
    count, outputs = logits.shape
    if targets is None:
        return logits.argmax(axis=1)
    targets = np.asarray(targets)
    if not np.issubdtype(targets.dtype, np.integer) or targets.shape not in ((), (count,)):
        raise UsageError(f'targets must be a class or {count} of them, one for each image, got {targets.tolist()!r}')
    if targets.min() < 0 or targets.max() >= outputs:
        raise UsageError(f'targets must be in 0..{outputs - 1}, got {targets.tolist()!r}')
    return np.broadcast_to(targets, (count,)).astype(np.int64)

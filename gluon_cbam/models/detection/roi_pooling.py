"""Pooling of the features of regions of interest (RoIs) from the maps of a pyramid.

RoIs are pooled by RoIAlign (He et al., ICCV 2017, section 3) with 2 x 2 samples a cell, from the map whose level is
4 + log2(sqrt(area) / 224) (Lin et al., CVPR 2017, equation 1).
"""

from __future__ import annotations

import math
from typing import Any, Sequence

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import is_traced_for_export

_CANONICAL, _AT = 224.0, 4  # a RoI of this size, in pixels, has this level
MOST = 2**17
"""RoIs of a batch must be fewer, see :func:`pool_levels`."""


def with_images(F: OpNamespace, boxes: Tensor) -> Tensor:
    """Boxes (N, R, 4) as RoIs: (N R, 5) with the number of the image first."""
    one = F.slice_axis(boxes, axis=2, begin=0, end=1)
    images = F.broadcast_add(F.zeros_like(one), F.contrib.arange_like(boxes, axis=0).reshape((-1, 1, 1)))
    return F.concat(images, boxes, dim=2).reshape((-1, 5))


def levels_of(F: OpNamespace, rois: Tensor, lowest: int, highest: int) -> Tensor:
    """The level that each RoI (R, 5) is pooled from: (R,), from ``lowest`` to ``highest``.

    A box from pixel a to pixel b has the length b - a + 1, as in GluonCV.
    """
    sides = F.slice_axis(rois, axis=1, begin=3, end=5) - F.slice_axis(rois, axis=1, begin=1, end=3) + 1
    size = F.sqrt(F.prod(sides, axis=1))
    return F.clip(F.floor(_AT + F.log2(size / _CANONICAL + 1e-6)), lowest, highest)


def pool(F: OpNamespace, x: Tensor, rois: Tensor, stride: int, size: int) -> Tensor:
    """Pool RoIs (R, 5) from a map (N, C, H, W) with a stride: (R, C, size, size)."""
    return F.contrib.ROIAlign(x, rois, pooled_size=(size, size), spatial_scale=1 / stride, sample_ratio=2)


def pool_levels(
    F: OpNamespace, maps: Sequence[Tensor], rois: Tensor, strides: Sequence[int], channels: int, size: int
) -> Tensor:
    """Pool each RoI from the map of its level.

    On each map, the RoIs of other levels have an image of -1, so that they cost nothing, forward and backward. For
    such a RoI n of MXNet 1.9.1, ROIAlign on the CPU leaves the row n of its output as the memory was, and writes a zero
    to the n-th number of the whole output, which belongs to one of the first rows. So the rows are chosen by their
    level, and before them are as many unused ones as :data:`MOST` numbers need. Graphs for export pool every RoI from
    every map, since other programs take no image of -1.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        maps: (N, C, H, W) each.
        rois: (R, 5): image, xmin, ymin, xmax and ymax in pixels of the input; fewer than :data:`MOST`.
        strides: strides of the maps, powers of 2, each twice the one before.
        channels: C.
        size: cells of the output along each side.

    Returns:
        (R, C, size, size).
    """
    if is_traced_for_export():
        return _pooled_everywhere(F, maps, rois, strides, size)
    unused = math.ceil(MOST / (channels * size * size))
    first = int(math.log2(strides[0]))
    level = levels_of(F, rois, first, first + len(maps) - 1)
    level = F.concat(F.zeros((unused,)), level, dim=0)
    rois = F.concat(F.zeros((unused, 5)), rois, dim=0)
    none, chosen = -F.ones_like(rois), None
    for number, (each, stride) in enumerate(zip(maps, strides)):
        own = level == first + number
        pooled = pool(F, each, F.where(own, rois, none), stride, size)
        chosen = F.where(own, pooled, F.zeros_like(pooled) if chosen is None else chosen)
    return F.slice_axis(chosen, axis=0, begin=unused, end=None)


def _pooled_everywhere(F: OpNamespace, maps: Sequence[Tensor], rois: Tensor, strides: Sequence[int], size: int) -> Any:
    """See :func:`pool_levels`: a sum over the maps, of which each RoI takes one."""
    first = int(math.log2(strides[0]))
    level = levels_of(F, rois, first, first + len(maps) - 1).reshape((-1, 1, 1, 1))
    parts = [
        F.broadcast_mul(pool(F, each, rois, stride, size), level == first + number)
        for number, (each, stride) in enumerate(zip(maps, strides))
    ]
    return sum(parts[1:], parts[0])

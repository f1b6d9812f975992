"""Operations on boxes of a batch: corners and centers, clipping, overlaps."""

from __future__ import annotations

from typing import Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .anchors import length

CROWD = -2
"""The class of a row that is a region with many objects."""
COVERED = 0.5
"""A box with a larger share of its area in a crowd region is no example, the limit of COCO's evaluation at IoU 0.5."""
_SMALLEST = 1e-6  # square pixels


def centered(F: OpNamespace, corners: Tensor) -> Tensor:
    """Center x, center y, width and height of boxes (..., 4) from xmin, ymin, xmax and ymax."""
    low, high = halves(F, corners)
    return F.concat((low + high) * 0.5, high - low, dim=-1)


def cornered(F: OpNamespace, centers: Tensor) -> Tensor:
    """The corners of boxes (..., 4): the inverse of :func:`centered`."""
    center, size = halves(F, centers)
    return F.concat(center - size * 0.5, center + size * 0.5, dim=-1)


def halves(F: OpNamespace, boxes: Tensor) -> Tuple[Tensor, Tensor]:
    """The first and the last two of the four numbers of boxes."""
    return F.slice_axis(boxes, axis=-1, begin=0, end=2), F.slice_axis(boxes, axis=-1, begin=2, end=4)


def clipped(F: OpNamespace, corners: Tensor, image: Tensor) -> Tensor:
    """Clip boxes (N, R, 4) at the borders of the images (N, C, H, W)."""
    width, height = length(F, image, 3), length(F, image, 2)
    ends = F.concat(width, height, width, height, dim=0).reshape((1, 1, 4))
    return F.maximum(F.broadcast_minimum(corners, ends), 0)


def intersections(F: OpNamespace, first: Tensor, second: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """The areas that the boxes of an image share.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        first: (N, M, 4) corners.
        second: (N, K, 4) corners.

    Returns:
        The shared areas (N, M, K), the areas of the first (N, M, 1) and of the second boxes (N, 1, K).
    """
    sides, areas = [], []
    for axis in (0, 1):
        low, high = (F.slice_axis(first, axis=2, begin=begin, end=begin + 1) for begin in (axis, axis + 2))
        other = F.swapaxes(second, 1, 2)
        from_, to = (F.slice_axis(other, axis=1, begin=begin, end=begin + 1) for begin in (axis, axis + 2))
        sides.append(F.relu(F.broadcast_minimum(high, to) - F.broadcast_maximum(low, from_)))
        areas.append((high - low, to - from_))
    (width, other_width), (height, other_height) = areas
    return sides[0] * sides[1], width * height, other_width * other_height


def overlaps(F: OpNamespace, first: Tensor, second: Tensor) -> Tensor:
    """The IoU of the boxes (N, M, 4) and (N, K, 4) of each image: (N, M, K); 0 for boxes without area."""
    shared, area, other = intersections(F, first, second)
    return shared / F.maximum(F.broadcast_add(area, other) - shared, _SMALLEST)


def covered(F: OpNamespace, regions: Tensor, boxes: Tensor) -> Tensor:
    """The largest share of each box (N, K, 4) that lies in one of the regions (N, M, 4): (N, K)."""
    shared, _, area = intersections(F, regions, boxes)
    return F.max(F.broadcast_div(shared, F.maximum(area, _SMALLEST)), axis=1)

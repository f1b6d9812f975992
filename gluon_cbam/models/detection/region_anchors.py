"""Anchors of region proposal networks (Ren et al., NeurIPS 2015, arXiv 1506.01497, section 3.1), as GluonCV has them.

A cell of a map with stride s has one anchor of each ratio and scale, the ratios in order and for each the scales. The
anchor of ratio r and scale 1 is round(s / sqrt(r)) pixels wide and r times as high, rounded again; corners are those of
pixels, so that an anchor of n pixels is n - 1 wide. The center of the first cell is (s - 1) / 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor


@dataclass(frozen=True)
class RegionLevel:
    """The anchors of one map.

    Attributes:
        stride: stride of the map, in pixels.
        sizes: the lengths of square anchors, in pixels.
        ratios: height over width.
    """

    stride: int
    sizes: Tuple[float, ...]
    ratios: Tuple[float, ...]

    @property
    def count(self) -> int:
        """Anchors of each cell."""
        return len(self.sizes) * len(self.ratios)

    @property
    def shapes(self) -> np.ndarray:
        """Width and height of the anchors of a cell in pixels: (count, 2) float64."""
        widths = np.round(np.sqrt(self.stride**2 / np.array(self.ratios)))
        base = np.stack([widths, np.round(widths * self.ratios)], axis=1)
        scales = np.array(self.sizes) / self.stride
        return (base[:, None] * scales[:, None]).reshape(-1, 2) - 1


def region_levels(sizes: Sequence[float], strides: Sequence[int], ratios: Tuple[float, ...]) -> List[RegionLevel]:
    """The anchors of each map; maps share the head, so that all have as many.

    Args:
        sizes: the lengths of square anchors in pixels, those of a map together.
        strides: stride of each map, in pixels.
        ratios: height over width.

    Raises:
        ValueError: the sizes are no positive numbers, or not as many for each map.
    """
    maps = len(strides)
    numbers = isinstance(sizes, (list, tuple)) and all(isinstance(size, (int, float)) for size in sizes)
    if not numbers or not sizes or len(sizes) % maps or not all(0 < size < math.inf for size in sizes):
        raise ValueError(f'anchor_sizes must be positive numbers, as many for each of {maps} maps, got {sizes!r}')
    each = len(sizes) // maps
    parts = [tuple(sizes[each * number : each * (number + 1)]) for number in range(maps)]
    return [RegionLevel(stride, part, ratios) for stride, part in zip(strides, parts)]


def region_anchors(F: OpNamespace, levels: Sequence[RegionLevel], maps: Sequence[Tensor]) -> Tensor:
    """Compute the anchors of some maps.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        levels: the anchors of each map.
        maps: the maps, (N, C, H, W).

    Returns:
        (A, 4) float32: center x, center y, width and height in pixels; maps one after the other, each row by row, the
        anchors of a cell next to each other.
    """
    parts: List[Tensor] = []
    for level, cells in zip(levels, maps):
        first = (level.stride - 1) / 2
        x = F.contrib.arange_like(cells, axis=3).reshape((1, -1, 1, 1)) * level.stride + first
        y = F.contrib.arange_like(cells, axis=2).reshape((-1, 1, 1, 1)) * level.stride + first
        none = F.broadcast_add(0 * x, 0 * y)  # (H, W, 1, 1)
        centers = F.concat(F.broadcast_add(x, none), F.broadcast_add(y, none), dim=3)
        boxes = []
        for width, height in level.shapes.tolist():
            boxes.append(F.concat(centers, none + width, none + height, dim=3))
        parts.append(F.concat(*boxes, dim=2).reshape((-1, 4)))  # of (H, W, count, 4)
    return F.concat(*parts, dim=0)

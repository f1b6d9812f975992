"""Anchors of single shot detectors (Liu et al., ECCV 2016, arXiv 1512.02325, section 2.2), as GluonCV has them.

A cell of a map has one anchor of each ratio at its size, and one of ratio 1 at the geometric mean of its size and the
next. Their order in a cell is: ratio 1, the larger one, the other ratios. Sizes are fractions of the image, so that
they grow with it. The center of the cell (i, j) is ``(j + 0.5) * step, (i + 0.5) * step``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor


@dataclass(frozen=True)
class AnchorLevel:
    """The anchors of one map.

    Attributes:
        size: size of the anchors over that of the image.
        next_size: size of the anchors of the next map, likewise.
        ratios: width over height, the first of them 1.
        step: distance of the centers in pixels; None for the image divided by the map.
    """

    size: float
    next_size: float
    ratios: Tuple[float, ...]
    step: Optional[int] = None

    @property
    def count(self) -> int:
        """Anchors of each cell."""
        return len(self.ratios) + 1

    @property
    def shapes(self) -> np.ndarray:
        """Width and height of the anchors of a cell over those of the image: (count, 2) float64."""
        larger = (self.size * self.next_size) ** 0.5
        others = [(self.size * ratio**0.5, self.size / ratio**0.5) for ratio in self.ratios[1:]]
        return np.array([(self.size, self.size), (larger, larger), *others])


def anchor_array(levels: Sequence[AnchorLevel], maps: Sequence[Tuple[int, int]], height: int, width: int) -> np.ndarray:
    """Compute the anchors of an image.

    Args:
        levels: the anchors of each map.
        maps: height and width of each map, in cells.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        (A, 4) float32: center x, center y, width and height in pixels; maps one after the other, each row by row, the
        anchors of a cell next to each other.
    """
    parts = [level_anchors(level, cells, height, width) for level, cells in zip(levels, maps)]
    return np.concatenate([anchors.reshape(-1, 4) for anchors in parts]).astype(np.float32)


def level_anchors(level: AnchorLevel, cells: Tuple[int, int], height: int, width: int) -> np.ndarray:
    """Compute the anchors of a map.

    Args:
        level: the anchors of its cells.
        cells: height and width of the map, in cells.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        (rows, columns, count, 4) float64, see :func:`anchor_array`.
    """
    rows, columns = cells
    anchors = np.empty((rows, columns, level.count, 4))
    anchors[..., 0] = ((np.arange(columns) + 0.5) * (level.step or width / columns))[:, None]
    anchors[..., 1] = ((np.arange(rows) + 0.5) * (level.step or height / rows))[:, None, None]
    anchors[..., 2:] = level.shapes * (width, height)
    return anchors


def anchor_graph(F: OpNamespace, levels: Sequence[AnchorLevel], maps: Sequence[Tensor], image: Tensor) -> Tensor:
    """Compute the anchors of an image by operators, for graphs that know no sizes.

    Args:
        F: ``mxnet.symbol``.
        levels: the anchors of each map.
        maps: the maps, (N, C, H, W).
        image: the input, (N, C, H, W).

    Returns:
        (A, 4), up to rounding :func:`anchor_array`.
    """
    height, width = length(F, image, 2), length(F, image, 3)
    parts = []
    for level, cells in zip(levels, maps):
        x = _centers(F, cells, 3, level.step, width).reshape((1, -1, 1, 1))
        y = _centers(F, cells, 2, level.step, height).reshape((-1, 1, 1, 1))
        none = F.broadcast_add(0 * x, 0 * y)  # (H, W, 1, 1)
        cell = [F.concat(F.broadcast_add(x, none), F.broadcast_add(y, none), dim=3)]
        boxes = []
        for w, h in level.shapes.tolist():
            shape = F.concat(w * width, h * height, dim=0).reshape((1, 1, 1, 2))
            boxes.append(F.concat(*cell, F.broadcast_add(F.concat(none, none, dim=3), shape), dim=3))
        parts.append(F.concat(*boxes, dim=2).reshape((-1, 4)))  # of (H, W, K, 4)
    return F.concat(*parts, dim=0)


def length(F: OpNamespace, x: Tensor, axis: int) -> Tensor:
    """The length of an axis as the value of an array, for graphs that know no sizes: (1,) float32."""
    return F.max(F.contrib.arange_like(x, axis=axis), axis=0, keepdims=True) + 1


def _centers(F: OpNamespace, cells: Tensor, axis: int, step: Optional[int], image: Tensor) -> Tensor:
    """The centers of the cells along an axis of a map."""
    places = F.contrib.arange_like(cells, axis=axis) + 0.5
    return places * step if step else F.broadcast_mul(places, F.broadcast_div(image, length(F, cells, axis)))

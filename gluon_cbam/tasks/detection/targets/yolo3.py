"""The targets of YOLOv3: the anchor that each object is found by, and what it should say, computed on the device.

Redmon and Farhadi, arXiv 1804.02767, section 2.1: an object belongs to the cell of its center and, of the nine anchors,
to the one whose width and height fit best, whatever the map; other anchors that happen to fit are ignored by the loss.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.boxes import halves

_SMALLEST = 1  # pixel; of the logarithm of a side


class CellTargets(NamedTuple):
    """The targets of a batch of N images with M boxes and A anchors.

    Attributes:
        anchors: (N, M), the number of the anchor of each object; 0 for other rows.
        coded: (N, M, 4), what the anchor should say: x and y in the cell, from 0 to 1, and the logarithms of width and
            height over those of the anchor.
        weights: (N, M), the weight of the box: 2 less the object's share of the image; 0 for rows without an object,
            and for those whose anchor a later object has.
        objects: (N, A), 1 for anchors of objects, 0 for others.
        boxes: (N, M, 5), what the targets are of.
    """

    anchors: mx.nd.NDArray
    coded: mx.nd.NDArray
    weights: mx.nd.NDArray
    objects: mx.nd.NDArray
    boxes: mx.nd.NDArray


class YOLO3Targets:
    """Computes the targets of YOLOv3 on the device of the boxes.

    Args:
        strides: height and width of the cells of each map, in pixels of the input.
        anchors: width and height of the anchors of each map, in pixels, as many for each.
    """

    def __init__(self, strides: Sequence[int], anchors: Sequence[Sequence[Tuple[float, float]]]) -> None:
        self._strides, self._anchors = tuple(strides), anchors
        self._graphs: Dict[Tuple[int, ...], _Targets] = {}
        self._tables: Dict[Tuple[object, ...], mx.nd.NDArray] = {}

    def __call__(self, boxes: mx.nd.NDArray, maps: Sequence[Tuple[int, int]], height: int, width: int) -> CellTargets:
        """Compute the targets of a batch.

        Args:
            boxes: (N, M, 5) float32: class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1
                are padding, rows of class -2 crowd regions.
            maps: height and width of each map, in cells.
            height: height of the input, in pixels.
            width: width of the input, in pixels.
        """
        key = boxes.shape[1], height, width
        if key not in self._graphs:
            count = sum(rows * columns * len(sizes) for (rows, columns), sizes in zip(maps, self._anchors))
            graph = _Targets(count, height * width)
            graph.hybridize(static_alloc=True, static_shape=True)
            self._graphs[key] = graph
        place = height, width, boxes.context
        if place not in self._tables:
            self._tables[place] = mx.nd.array(self._table(maps), ctx=boxes.context)
        anchors, coded, weights, objects = self._graphs[key](boxes, self._tables[place])
        return CellTargets(anchors, coded, weights, objects, boxes)

    def _table(self, maps: Sequence[Tuple[int, int]]) -> np.ndarray:
        """Of each anchor of a cell: width, height, stride, columns of the map, number of its first one, anchors."""
        rows, first = [], 0
        for stride, sizes, (height, width) in zip(self._strides, self._anchors, maps):
            rows += [(*size, stride, width, first + number, len(sizes)) for number, size in enumerate(sizes)]
            first += height * width * len(sizes)
        return np.array(rows, np.float32)


class _Targets(mx.gluon.HybridBlock):
    """The graph of :class:`YOLO3Targets` for a number of anchors and the area of the image."""

    def __init__(self, count: int, area: int) -> None:
        super().__init__()
        self._count, self._area = count, area

    def hybrid_forward(self, F: OpNamespace, boxes: Tensor, table: Tensor) -> Tuple[Tensor, ...]:
        classes = F.slice_axis(boxes, axis=2, begin=0, end=1).reshape((0, -1))
        low, high = halves(F, F.slice_axis(boxes, axis=2, begin=1, end=5))
        size, center = high - low, (low + high) / 2  # (N, M, 2)
        own = F.take(table, _best_shape(F, size, table), axis=0)  # (N, M, 6)
        anchor, place = F.slice_axis(own, axis=2, begin=0, end=2), F.slice_axis(own, axis=2, begin=2, end=6)
        stride, columns, first, step = (F.slice_axis(place, axis=2, begin=at, end=at + 1) for at in range(4))
        center = F.broadcast_div(center, stride)
        cell = F.floor(center)
        column, row = (F.slice_axis(cell, axis=2, begin=axis, end=axis + 1) for axis in (0, 1))
        numbers = ((row * columns + column) * step + first).reshape((0, -1))  # (N, M)
        real = classes >= 0
        numbers = F.where(real, numbers, F.zeros_like(numbers))
        given = real * _is_last(F, F.where(real, numbers, F.ones_like(numbers) * -1))
        coded = F.concat(center - cell, F.log(F.maximum(size, _SMALLEST) / anchor), dim=2)
        weights = 2 - F.prod(size, axis=2) / self._area
        equal = F.broadcast_equal(numbers.expand_dims(2), F.arange(self._count).reshape((1, 1, -1)))  # (N, M, A)
        objects = F.max(F.broadcast_mul(equal, given.expand_dims(2)), axis=1)
        return numbers, coded, weights * given, objects


def _best_shape(F: OpNamespace, size: Tensor, table: Tensor) -> Tensor:
    """The anchor whose width and height fit best: that of the largest IoU of boxes with one center, (N, M)."""
    (width, height), (wide, tall) = (
        [F.slice_axis(each, axis=-1, begin=axis, end=axis + 1) for axis in (0, 1)] for each in (size, table)
    )
    wide, tall = (each.reshape((1, 1, -1)) for each in (wide, tall))
    shared = F.broadcast_minimum(width, wide) * F.broadcast_minimum(height, tall)
    return F.argmax(shared / (F.broadcast_add(width * height, wide * tall) - shared), axis=2)


def _is_last(F: OpNamespace, numbers: Tensor) -> Tensor:
    """Whether no later row of an image has the same number, (N, M)."""
    same = F.broadcast_equal(numbers.expand_dims(2), numbers.expand_dims(1))  # (N, M, M)
    place = F.contrib.arange_like(numbers, axis=1)
    later = F.broadcast_lesser(place.reshape((-1, 1)), place.reshape((1, -1))).expand_dims(0)
    return F.max(F.broadcast_mul(same, later), axis=2) == 0

"""The targets of CenterNet: heat maps of the centers of objects, their sizes and offsets, computed on the device.

Zhou et al., arXiv 1904.07850, section 3: an object is a Gaussian around the cell of its center, whose radius is such
that a box with its corners inside of it overlaps the object (Law and Deng, "CornerNet", ECCV 2018, section 3.2). The
radius is that of the code of both papers, which divides by 2 where the solution of its quadratic equation divides by
twice the leading coefficient; GluonCV has it from there.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.boxes import CROWD

MIN_OVERLAP = 0.7
"""The IoU with the object that boxes with corners in the radius have."""


class PointTargets(NamedTuple):
    """The targets of a batch of N images with M boxes for maps of H x W cells.

    Attributes:
        heatmap: (N, classes, H, W) float32: 1 in the cell of a center, less around it, 0 elsewhere; -1 in cells of
            crowd regions that no object reaches, which count for nothing.
        cells: (N, M), the cell of the center of each object, row by row; 0 for other rows.
        sizes: (N, M, 2), width and height of the object, in cells.
        offsets: (N, M, 2), x and y of its center from the upper left corner of the cell, in cells.
        objects: (N, M), 1 for objects, 0 for other rows.
    """

    heatmap: mx.nd.NDArray
    cells: mx.nd.NDArray
    sizes: mx.nd.NDArray
    offsets: mx.nd.NDArray
    objects: mx.nd.NDArray


class CenterNetTargets:
    """Computes the targets of CenterNet on the device of the boxes.

    Args:
        classes: number of classes.
        stride: height and width of a cell, in pixels of the input.
        crowds: whether there may be crowd regions; without, targets take less time.
    """

    def __init__(self, classes: int, stride: int, crowds: bool = True) -> None:
        self._classes, self._stride, self._crowds = classes, stride, crowds
        self._graphs: Dict[Tuple[int, ...], _Targets] = {}

    def __call__(self, boxes: mx.nd.NDArray, height: int, width: int) -> PointTargets:
        """Compute the targets of a batch.

        Args:
            boxes: (N, M, 5) float32: class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1
                are padding, rows of class -2 crowd regions.
            height: height of the maps, in cells.
            width: width of the maps, in cells.
        """
        key = boxes.shape[1], height, width
        if key not in self._graphs:
            graph = _Targets(key, self._classes, self._stride, self._crowds)
            graph.hybridize(static_alloc=True, static_shape=True)
            self._graphs[key] = graph
        return PointTargets(*self._graphs[key](boxes))


class _Targets(mx.gluon.HybridBlock):
    """The graph of :class:`CenterNetTargets` for M, H and W."""

    def __init__(self, shape: Tuple[int, int, int], classes: int, stride: int, crowds: bool) -> None:
        super().__init__()
        self._shape, self._classes, self._stride, self._crowds = shape, classes, stride, crowds

    def hybrid_forward(self, F: OpNamespace, boxes: Tensor) -> Tuple[Tensor, ...]:
        boxes = F.cast(boxes, dtype='float64')  # so that radii are rounded down as in numpy
        label = F.slice_axis(boxes, axis=2, begin=0, end=1).reshape((0, -1))  # (N, M)
        low, high = (F.slice_axis(boxes, axis=2, begin=at, end=at + 2) / self._stride for at in (1, 3))
        size, center = high - low, (low + high) / 2  # (N, M, 2)
        cell = F.floor(center)
        column, row = (F.slice_axis(cell, axis=2, begin=axis, end=axis + 1).reshape((0, -1)) for axis in (0, 1))
        objects = F.cast(label >= 0, dtype='float64')
        radius = F.broadcast_mul(gaussian_radius(F, F.ceil(size)), objects)
        heatmap = self._heatmap(F, label, row, column, radius)
        if self._crowds:
            heatmap = F.where(self._in_crowds(F, label, low, high) * (heatmap == 0), -F.ones_like(heatmap), heatmap)
        cells = (row * self._shape[2] + column) * objects
        others = tuple(F.cast(each, dtype='float32') for each in (cells, size, center - cell, objects))
        return (heatmap, *others)

    def _heatmap(self, F: OpNamespace, label: Tensor, row: Tensor, column: Tensor, radius: Tensor) -> Tensor:
        """The largest Gaussian of a class in each cell, (N, classes, H, W)."""
        rows, height, width = self._shape
        across = _gaussian(F, column, radius, width).expand_dims(2)  # (N, M, 1, W)
        down = _gaussian(F, row, radius, height).expand_dims(3)  # (N, M, H, 1)
        chosen = F.one_hot(label, self._classes)  # (N, M, classes), none for rows without an object
        result = None
        for number in range(rows):  # one after the other, since all together take M times the memory of the heat map
            here = [F.slice_axis(each, axis=1, begin=number, end=number + 1) for each in (across, down, chosen)]
            one = F.broadcast_mul(F.broadcast_mul(here[0], here[1]), here[2].reshape((0, self._classes, 1, 1)))
            result = one if result is None else F.maximum(result, one)
        return result

    def _in_crowds(self, F: OpNamespace, label: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Whether the center of each cell is in a crowd region, (N, classes, H, W)."""
        _, height, width = self._shape
        crowd = (label == CROWD).expand_dims(2)
        inside = []
        for axis, length in enumerate((width, height)):
            place = F.arange(length, dtype='float64').reshape((1, 1, -1)) + 0.5
            begin, end = (F.slice_axis(each, axis=2, begin=axis, end=axis + 1) for each in (low, high))
            inside.append(F.broadcast_greater(place, begin) * F.broadcast_lesser(place, end))  # (N, M, length)
        cells = F.broadcast_mul(F.broadcast_mul(inside[1], crowd).expand_dims(3), inside[0].expand_dims(2))
        found = F.max(F.cast(cells, dtype='float32'), axis=1, keepdims=True)  # (N, 1, H, W)
        return F.broadcast_axis(found, axis=1, size=self._classes)


def gaussian_radius(F: OpNamespace, size: Tensor, overlap: float = MIN_OVERLAP) -> Tensor:
    """The radius of the Gaussian of an object, in whole cells.

    Of the three cases of the code of the papers, this is the smallest one for any size: a box around the object.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        size: (N, M, 2) float64, width and height in whole cells.
        overlap: the IoU of a box with its corners in the radius.

    Returns:
        (N, M) float64.
    """
    width, height = (F.slice_axis(size, axis=2, begin=axis, end=axis + 1).reshape((0, -1)) for axis in (0, 1))
    b = (height + width) * (-2 * overlap)
    c = width * (overlap - 1) * height
    return F.floor((b + F.sqrt(F.square(b) - c * (16 * overlap))) / 2)


def _gaussian(F: OpNamespace, center: Tensor, radius: Tensor, length: int) -> Tensor:
    """A Gaussian of a third of the radius and a half around each center, cut off at the radius: (N, M, length)."""
    place = F.arange(length, dtype='float64').reshape((1, 1, -1))
    distance = F.broadcast_sub(place, center.expand_dims(2))
    deviation = (2 * radius + 1).expand_dims(2) / 6
    values = F.exp(F.broadcast_div(-F.square(distance), 2 * F.square(deviation)))
    return F.cast(values * F.broadcast_lesser_equal(F.abs(distance), radius.expand_dims(2)), dtype='float32')

"""The targets of SSD: for each anchor the class and the offsets that it should have."""

from __future__ import annotations

from typing import Dict, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.box_coding import encode

from .matching import match, of_each

CROWD = -2
"""The class of a row that is a region with many objects."""
_COVERED = 0.5  # share of an anchor in a crowd region, the limit of COCO's evaluation at IoU 0.5


class SSDTargets:
    """Computes the targets of SSD on the device of the boxes.

    Objects that are marked as difficult are objects like others, as in GluonCV. An anchor that matches no object and
    has more than half of its area in a crowd region is ignored: it is neither an example of an object nor of the
    background.

    Args:
        threshold: the IoU from which an anchor matches an object.
        crowds: whether there may be crowd regions; without, targets take less time.
    """

    def __init__(self, threshold: float = 0.5, crowds: bool = True) -> None:
        self._threshold, self._crowds = threshold, crowds
        self._graphs: Dict[Tuple[int, int, int], _Targets] = {}

    def __call__(self, boxes: mx.nd.NDArray, anchors: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """Compute the targets of a batch.

        Args:
            boxes: (N, M, 5) float32: class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1
                are padding, rows of class -2 crowd regions.
            anchors: (A, 4) float32, see :meth:`gluon_cbam.models.detection.anchor_detector.AnchorDetector.anchors`.

        Returns:
            Labels (N, A): 1 + class, 0 for the background, -1 for ignored anchors; and offsets (N, A, 4), 0 for anchors
            without an object.
        """
        shape = (*boxes.shape[:2], len(anchors))
        if shape not in self._graphs:
            graph = _Targets(shape, self._threshold, self._crowds)
            graph.hybridize(static_alloc=True, static_shape=True)
            self._graphs[shape] = graph
        return self._graphs[shape](boxes, anchors)


class _Targets(mx.gluon.HybridBlock):
    """The graph of :class:`SSDTargets` for N, M and A."""

    def __init__(self, shape: Tuple[int, int, int], threshold: float, crowds: bool) -> None:
        super().__init__()
        self._shape, self._threshold, self._crowds = shape, threshold, crowds

    def hybrid_forward(self, F: OpNamespace, boxes: Tensor, anchors: Tensor) -> Tuple[Tensor, Tensor]:
        centers, sizes = (F.slice_axis(anchors, axis=1, begin=begin, end=begin + 2) for begin in (0, 2))
        corners = F.concat(centers - sizes / 2, centers + sizes / 2, dim=1)  # (A, 4)
        classes = F.slice_axis(boxes, axis=2, begin=0, end=1)  # (N, M, 1)
        matched = match(F, _overlaps(F, boxes, classes >= 0, corners), self._shape, self._threshold)
        found = matched >= 0
        picked = of_each(F, boxes, matched * found)  # (N, A, 5)
        labels = F.slice_axis(picked, axis=2, begin=0, end=1).reshape((0, -1)) + 1
        other = F.zeros_like(labels)
        if self._crowds:
            overlaps = _overlaps(F, boxes, classes == CROWD, corners)
            other = other - (_share_in_crowds(F, overlaps, boxes, sizes) > _COVERED)
        coded = encode(F, F.slice_axis(picked, axis=2, begin=1, end=5), anchors.expand_dims(0))
        positive = F.broadcast_axis(found.expand_dims(2), axis=2, size=4)
        return F.where(found, labels, other), F.where(positive, coded, F.zeros_like(coded))


def _overlaps(F: OpNamespace, boxes: Tensor, chosen: Tensor, corners: Tensor) -> Tensor:
    """The IoU of boxes and anchors, (N, M, A); 0 for boxes that are not chosen."""
    rows = F.broadcast_mul(F.slice_axis(boxes, axis=2, begin=1, end=5), chosen)
    return F.contrib.box_iou(rows, corners, format='corner')


def _share_in_crowds(F: OpNamespace, overlaps: Tensor, boxes: Tensor, sizes: Tensor) -> Tensor:
    """The largest share of each anchor that lies in a crowd region: (N, A), from their IoU."""
    low, high = (F.slice_axis(boxes, axis=2, begin=begin, end=begin + 2) for begin in (1, 3))
    region = F.prod(high - low, axis=2, keepdims=True)  # (N, M, 1)
    anchor = F.prod(sizes, axis=1).reshape((1, 1, -1))
    both = F.broadcast_add(region, anchor)
    shares = F.broadcast_div(overlaps / (1 + overlaps) * both, anchor)  # the intersection is IoU / (1 + IoU) of both
    return F.pick(shares, F.argmax(shares, axis=1), axis=1)

"""The targets of SSD: for each anchor the class and the offsets that it should have."""

from __future__ import annotations

from typing import Dict, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.box_coding import encode
from gluon_cbam.models.detection.boxes import COVERED, CROWD, cornered, halves
from gluon_cbam.models.detection.picking import of_each

from .matching import match
from .overlaps import box_overlaps, share_in_crowds


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
        corners, sizes = cornered(F, anchors), halves(F, anchors)[1]  # (A, 4), (A, 2)
        classes = F.slice_axis(boxes, axis=2, begin=0, end=1)  # (N, M, 1)
        matched = match(F, box_overlaps(F, boxes, classes >= 0, corners), self._shape, self._threshold)
        found = matched >= 0
        picked = of_each(F, boxes, matched * found)  # (N, A, 5)
        labels = F.slice_axis(picked, axis=2, begin=0, end=1).reshape((0, -1)) + 1
        other = F.zeros_like(labels)
        if self._crowds:
            overlaps = box_overlaps(F, boxes, classes == CROWD, corners)
            other = other - (share_in_crowds(F, overlaps, boxes, sizes) > COVERED)
        coded = encode(F, F.slice_axis(picked, axis=2, begin=1, end=5), anchors.expand_dims(0))
        positive = F.broadcast_axis(found.expand_dims(2), axis=2, size=4)
        return F.where(found, labels, other), F.where(positive, coded, F.zeros_like(coded))

"""The targets of a region proposal network (Ren et al., NeurIPS 2015, section 3.1.2), on the device."""

from __future__ import annotations

from typing import Dict, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.box_coding import encode
from gluon_cbam.models.detection.boxes import COVERED, CROWD, cornered, halves
from gluon_cbam.models.detection.picking import of_each
from gluon_cbam.models.detection.proposals import SCALES
from gluon_cbam.models.detection.sampling import sample

from .overlaps import box_overlaps, share_in_crowds

SAMPLES, MOST_POSITIVE = 256, 128
"""Anchors of an image in the loss, and how many of them are positive at most."""
_POSITIVE, _NEGATIVE = 0.7, 0.3  # IoU


class RegionTargets:
    """Computes the targets of region proposal networks on the device of the boxes.

    Anchors that reach over the border of the input are no examples. Of the others, those with an IoU of at least 0.7
    with an object are positive, and so are those with the largest IoU with an object, whatever it is; GluonCV leaves
    these out where it is below 0.3. An anchor whose largest IoU is below 0.3 is background, but for those that are
    mostly in a crowd region. At most 128 positive anchors of an image are examples, and as many of the background as
    make it 256.

    Args:
        crowds: whether there may be crowd regions; without, targets take less time.
    """

    def __init__(self, crowds: bool = True) -> None:
        self._crowds = crowds
        self._graphs: Dict[Tuple[int, int], _Targets] = {}

    def __call__(
        self, boxes: mx.nd.NDArray, anchors: mx.nd.NDArray, order: mx.nd.NDArray, height: int, width: int
    ) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """Compute the targets of a batch.

        Args:
            boxes: (N, M, 5) float32: class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1
                are padding, rows of class -2 crowd regions.
            anchors: (A, 4) float32, centers, widths and heights.
            order: (N, A), a permutation of 0 to A - 1 for each image, which says which examples are chosen.
            height: height of the input, in pixels.
            width: width of the input, in pixels.

        Returns:
            Labels (N, A): 1 for objects, 0 for the background, -1 for anchors that are no examples; and offsets
            (N, A, 4), 0 but for objects.
        """
        if (height, width) not in self._graphs:
            graph = _Targets(height, width, self._crowds)
            graph.hybridize(static_alloc=True)
            self._graphs[height, width] = graph
        return self._graphs[height, width](boxes, anchors, order)


class _Targets(mx.gluon.HybridBlock):
    """The graph of :class:`RegionTargets` for inputs of a size."""

    def __init__(self, height: int, width: int, crowds: bool) -> None:
        super().__init__()
        self._height, self._width, self._crowds = height, width, crowds

    def hybrid_forward(self, F: OpNamespace, boxes: Tensor, anchors: Tensor, order: Tensor) -> Tuple[Tensor, Tensor]:
        corners = cornered(F, anchors)  # (A, 4)
        inside = self._inside(F, corners).reshape((1, -1))
        classes = F.slice_axis(boxes, axis=2, begin=0, end=1)  # (N, M, 1)
        overlaps = F.broadcast_mul(box_overlaps(F, boxes, classes >= 0, corners), inside.expand_dims(0))
        nearest = F.argmax(overlaps, axis=1)  # (N, A)
        largest = F.max(overlaps, axis=1)
        best = F.max(overlaps, axis=2, keepdims=True)  # (N, M, 1)
        is_best = F.max(F.broadcast_mul(F.broadcast_greater_equal(overlaps, best), best > 0), axis=1)
        positive = (largest >= _POSITIVE) + is_best > 0
        negative = F.broadcast_mul((largest < _NEGATIVE) * (1 - positive), inside)
        if self._crowds:
            in_crowd = box_overlaps(F, boxes, classes == CROWD, corners)
            negative = negative * (share_in_crowds(F, in_crowd, boxes, halves(F, anchors)[1]) <= COVERED)
        positive, negative = sample(F, positive, negative, order, SAMPLES, MOST_POSITIVE)
        coded = encode(
            F, F.slice_axis(of_each(F, boxes, nearest), axis=2, begin=1, end=5), anchors.expand_dims(0), SCALES
        )
        chosen = F.broadcast_axis(positive.expand_dims(2), axis=2, size=4)
        return 2 * positive + negative - 1, F.where(chosen, coded, F.zeros_like(coded))

    def _inside(self, F: OpNamespace, corners: Tensor) -> Tensor:
        """Whether anchors (A, 4) are inside the input: (A,)."""
        xmin, ymin, xmax, ymax = F.split(corners, num_outputs=4, axis=1, squeeze_axis=True)
        return (xmin >= 0) * (ymin >= 0) * (xmax < self._width) * (ymax < self._height)

"""The loss of YOLOv3 (Redmon and Farhadi, arXiv 1804.02767, section 2), as GluonCV has it."""

from __future__ import annotations

from typing import Sequence, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.boxes import COVERED, CROWD, covered, halves, overlaps
from gluon_cbam.models.detection.cell_coding import decode
from gluon_cbam.models.detection.picking import of_each
from gluon_cbam.models.detection.yolo3 import STRIDES, YOLO3
from gluon_cbam.tasks.detection.targets.yolo3 import CellTargets, YOLO3Targets
from gluon_cbam.tasks.protocols import Settings

from .criterion import Criterion, Place

IGNORED = 0.7
"""An anchor without an object is ignored where its box has a larger IoU with one."""


class YOLO3Loss(mx.gluon.HybridBlock):
    """Cross-entropy of sigmoids for objects, places in cells and classes, and L1 loss of the logarithms of sizes.

    Every anchor says whether it has an object. One without is ignored where the box that it finds has an IoU of more
    than 0.7 with an object, or more than half of its area in a crowd region. The anchors of objects also say where the
    box is, with the weight of the target, and which class it has; any number of classes may be true at once.

    Args:
        crowds: whether there may be crowd regions; without, the loss takes less time.

    Inputs:
        Logits (N, A, 1 + classes) and coded boxes (N, A, 4) of a network; its cells (A, 5); the parts of
        :class:`gluon_cbam.tasks.detection.targets.yolo3.CellTargets`.

    Outputs:
        The terms of objects, of centers, of sizes and of classes, (N,) each, summed over the anchors of an image.
    """

    def __init__(self, crowds: bool = True) -> None:
        super().__init__()
        self._crowds = crowds

    def hybrid_forward(
        self,
        F: OpNamespace,
        logits: Tensor,
        coded: Tensor,
        cells: Tensor,
        anchors: Tensor,
        wanted: Tensor,
        weights: Tensor,
        objects: Tensor,
        boxes: Tensor,
    ) -> Tuple[Tensor, ...]:
        """See :class:`YOLO3Loss`."""
        kinds, corners = (F.slice_axis(boxes, axis=2, begin=begin, end=end) for begin, end in ((0, 1), (1, 5)))
        found = decode(F, F.BlockGrad(coded), cells.expand_dims(0))
        ignored = F.max(overlaps(F, F.broadcast_mul(corners, kinds >= 0), found), axis=1) > IGNORED  # (N, A)
        if self._crowds:
            regions = F.broadcast_mul(corners, kinds == CROWD)
            ignored = F.maximum(ignored, covered(F, regions, found) > COVERED)
        object_logit = F.slice_axis(logits, axis=2, begin=0, end=1).reshape((0, -1))
        counted = F.maximum(objects, 1 - ignored)
        of_objects = F.sum(_entropy(F, object_logit, objects) * counted, axis=1)
        (place, scale), (true_place, true_scale) = halves(F, of_each(F, coded, anchors)), halves(F, wanted)
        of_centers = F.sum(F.sum(_entropy(F, place, true_place), axis=2) * weights, axis=1)
        of_sizes = F.sum(F.sum(F.abs(scale - true_scale), axis=2) * weights, axis=1)
        classes = F.slice_axis(of_each(F, logits, anchors), axis=2, begin=1, end=None)  # (N, M, classes)
        numbers = F.contrib.arange_like(classes, axis=2).reshape((1, 1, -1))
        entropy = F.sum(_entropy(F, classes, F.broadcast_equal(kinds, numbers)), axis=2)
        return of_objects, of_centers, of_sizes, F.sum(entropy * (weights > 0), axis=1)


def _entropy(F: OpNamespace, logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of sigmoids."""
    return F.Activation(logits, act_type='softrelu') - logits * targets


class YOLO3Criterion(Criterion):
    """Trains YOLOv3 by :class:`YOLO3Loss`, divided by the images, as GluonCV's training.

    Args:
        net: a network like the one that is trained, for its maps and anchors; not initialized.
        settings: the settings of the run.
        crowds: whether there may be crowd regions.
    """

    def __init__(self, net: YOLO3, settings: Settings, crowds: bool) -> None:
        self._net = net
        self._targets = YOLO3Targets(STRIDES, net.anchor_sizes)
        self._loss = YOLO3Loss(crowds)
        self._loss.hybridize(static_alloc=True, static_shape=True)
        weight = settings['box_weight']
        self._weights = 1.0, weight, weight, 1.0

    def targets(self, boxes: mx.nd.NDArray, height: int, width: int, place: Place) -> CellTargets:
        """The targets of :class:`gluon_cbam.tasks.detection.targets.yolo3.YOLO3Targets`."""
        return self._targets(boxes, self._net.map_sizes(height, width), height, width)

    def __call__(
        self, net: mx.gluon.HybridBlock, images: mx.nd.NDArray, targets: Sequence[mx.nd.NDArray]
    ) -> Tuple[Sequence[mx.nd.NDArray], mx.nd.NDArray]:
        """The terms of objects, centers, sizes and classes."""
        _, _, height, width = images.shape
        cells = self._net.cells(height, width, images.context)
        terms = self._loss(*net(images), cells, *targets)
        return [term * weight for term, weight in zip(terms, self._weights)], CellTargets(*targets).objects.sum(axis=1)

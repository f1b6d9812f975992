"""The loss of SSD (Liu et al., ECCV 2016, equations 1 to 3)."""

from __future__ import annotations

from typing import Sequence, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.anchor_detector import AnchorDetector
from gluon_cbam.tasks.detection.targets.ssd import SSDTargets
from gluon_cbam.tasks.protocols import Settings

from .criterion import Criterion, Place


class SSDLoss(mx.gluon.HybridBlock):
    """Cross-entropy of positive anchors and of hard negatives, and Huber loss of the offsets of positive anchors.

    The hard negatives of an image are those anchors of the background with the largest cross-entropy, three for each of
    its positive anchors; an image without positive anchors has none. The sums are not divided: a training loop divides
    them by the positive anchors of the whole batch, as GluonCV's ``SSDMultiBoxLoss``.

    Args:
        negatives: hard negatives for each positive anchor.
        rho: the distance from which the loss of an offset is linear.

    Inputs:
        Class logits (N, A, 1 + classes) and offsets (N, A, 4) of a network; labels (N, A) and offsets (N, A, 4) of
        :class:`gluon_cbam.tasks.detection.targets.ssd.SSDTargets`.

    Outputs:
        The cross-entropy (N,) and the Huber loss (N,), summed over the anchors of an image.
    """

    def __init__(self, negatives: float = 3.0, rho: float = 1.0) -> None:
        super().__init__()
        self._negatives, self._rho = negatives, rho

    def hybrid_forward(
        self, F: OpNamespace, logits: Tensor, offsets: Tensor, labels: Tensor, targets: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """See :class:`SSDLoss`."""
        positive = labels > 0
        entropy = -F.pick(F.log_softmax(logits, axis=-1), F.maximum(labels, 0), axis=-1)  # (N, A)
        count = F.sum(positive, axis=1, keepdims=True)
        finite = entropy > -1  # false for NaN: MXNet's sort has no order for NaN, and may read beyond its array
        negatives = F.where((labels == 0) * finite, entropy, F.zeros_like(entropy))
        sorted_negatives = F.sort(negatives, axis=1, is_ascend=False)
        place = F.contrib.arange_like(entropy, axis=1).reshape((1, -1))
        hard = F.broadcast_lesser(place, count * self._negatives)
        distance = F.abs(offsets - targets)
        huber = F.where(distance > self._rho, distance - self._rho / 2, F.square(distance) / (2 * self._rho))
        return (
            F.sum(entropy * positive, axis=1) + F.sum(sorted_negatives * hard, axis=1),  # a NaN times 0 is a NaN
            F.sum(F.sum(huber, axis=2) * positive, axis=1),
        )


class SSDCriterion(Criterion):
    """Trains detectors with anchors by :class:`SSDLoss`, divided by the positive anchors.

    Args:
        net: a network like the one that is trained, for its anchors; not initialized.
        settings: the settings of the run.
        crowds: whether there may be crowd regions.
    """

    def __init__(self, net: AnchorDetector, settings: Settings, crowds: bool) -> None:
        self._net = net
        self._targets = SSDTargets(settings['match_iou'], crowds)
        self._loss = SSDLoss(settings['negatives'])
        self._loss.hybridize(static_alloc=True, static_shape=True)
        self._box_weight = settings['box_weight']

    def targets(self, boxes: mx.nd.NDArray, height: int, width: int, place: Place) -> Sequence[mx.nd.NDArray]:
        """The labels and offsets of :class:`.SSDTargets`, and the number of positive anchors of each image, (N,)."""
        labels, offsets = self._targets(boxes, self._net.anchors(height, width, boxes.context))
        return labels, offsets, (labels > 0).sum(axis=1)

    def divisors(self, targets: Sequence[mx.nd.NDArray]) -> mx.nd.NDArray:
        """The positive anchors."""
        return targets[2]

    def __call__(
        self, net: mx.gluon.HybridBlock, images: mx.nd.NDArray, targets: Sequence[mx.nd.NDArray]
    ) -> Tuple[Sequence[mx.nd.NDArray], mx.nd.NDArray]:
        """The class term and the box term."""
        labels, offsets, positives = targets
        of_classes, of_boxes = self._loss(*net(images), labels, offsets)
        return (of_classes, of_boxes * self._box_weight), positives

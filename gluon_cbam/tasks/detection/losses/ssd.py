"""The loss of SSD (Liu et al., ECCV 2016, equations 1 to 3)."""

from __future__ import annotations

from typing import Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor


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

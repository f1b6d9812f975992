"""The RoIs that a network is trained on, and their targets (Girshick, ICCV 2015, section 2.3), on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .box_coding import encode
from .boxes import COVERED, CROWD, centered, covered, overlaps
from .picking import of_each
from .sampling import sample


class SampledRois(NamedTuple):
    """RoIs and their targets.

    Attributes:
        boxes: (N, S, 4), xmin, ymin, xmax and ymax.
        labels: (N, S): 1 + class, 0 for the background, -1 where an image has fewer than S.
        targets: (N, S, 4), the offsets of positive RoIs, see :mod:`.box_coding`; 0 for others.
        objects: (N, S), the number of the object that a positive RoI is of, from 0.
    """

    boxes: Tensor
    labels: Tensor
    targets: Tensor
    objects: Tensor


@dataclass(frozen=True)
class RoiSampling:
    """Chooses RoIs among the proposals and the objects themselves.

    A RoI is positive where its IoU with an object is at least a threshold, and background elsewhere, but for those that
    are mostly in a crowd region. GluonCV takes some negative RoIs in the place of positive ones, and positive ones
    twice, where its random numbers repeat; here no RoI is chosen twice.

    Attributes:
        count: RoIs of an image.
        share: the share of positive ones, at most.
        threshold: the IoU from which a RoI is positive.
    """

    count: int
    share: float = 0.25
    threshold: float = 0.5

    @property
    def most_positive(self) -> int:
        """Positive RoIs of an image at most; they are the first."""
        return int(round(self.count * self.share))

    def __call__(self, F: OpNamespace, proposals: Tensor, exist: Tensor, boxes: Tensor, order: Tensor) -> SampledRois:
        """Choose RoIs, without gradients.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            proposals: (N, R, 4), xmin, ymin, xmax and ymax.
            exist: (N, R), 1 for proposals and 0 for padding.
            boxes: (N, M, 5): class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1 are
                padding, rows of class -2 crowd regions.
            order: (N, R + M), a permutation of 0 to R + M - 1 for each image, which says what is chosen.
        """
        kinds = F.slice_axis(boxes, axis=2, begin=0, end=1)  # (N, M, 1)
        corners = F.slice_axis(boxes, axis=2, begin=1, end=5)
        objects, crowds = kinds >= 0, kinds == CROWD
        candidates = F.concat(proposals, corners, dim=1)  # (N, K, 4)
        exist = F.concat(exist, objects.reshape((0, -1)), dim=1)
        found = overlaps(F, F.broadcast_mul(corners, objects), candidates)  # (N, M, K)
        positive = (F.max(found, axis=1) >= self.threshold) * exist
        in_crowd = covered(F, F.broadcast_mul(corners, crowds), candidates) > COVERED
        negative = exist * (1 - positive) * (1 - in_crowd)
        chosen = sample(F, positive, negative, order, self.count, self.most_positive)
        return self._rows(F, candidates, boxes, F.argmax(found, axis=1), chosen, order)

    def _rows(
        self, F: OpNamespace, candidates: Tensor, boxes: Tensor, nearest: Tensor, chosen: Tensor, order: Tensor
    ) -> SampledRois:
        """The chosen candidates, the positive ones first."""
        positive, negative = chosen
        ranks = (positive + negative) * (order + 1) + F.broadcast_mul(positive, F.max(order, axis=1, keepdims=True) + 1)
        best, places = F.topk(ranks, k=self.count, axis=1, ret_typ='both')  # (N, S)
        rois = of_each(F, candidates, places)
        numbers = of_each(F, nearest, places)
        matched = of_each(F, boxes, numbers)  # (N, S, 5)
        is_positive = of_each(F, positive, places)
        labels = is_positive * (F.slice_axis(matched, axis=2, begin=0, end=1).reshape((0, -1)) + 1)
        labels = F.where(best > 0, F.relu(labels), -F.ones_like(labels))
        coded = encode(F, F.slice_axis(matched, axis=2, begin=1, end=5), centered(F, rois))
        wanted = F.broadcast_axis(is_positive.expand_dims(2), axis=2, size=4)
        targets = F.where(wanted, coded, F.zeros_like(coded))
        return SampledRois(*(F.BlockGrad(each) for each in (rois, labels, targets, numbers)))

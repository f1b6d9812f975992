"""From the logits and offsets of all anchors to detections: thresholds, the best, non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple, Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .box_coding import decode
from .picking import of_each

BOUND = 2**24
"""Scores of an image, anchors times classes, must be fewer: their numbers are float32."""


def class_scores(F: OpNamespace, logits: Tensor) -> Tensor:
    """The scores of the classes without the background: (N, A, 1 + classes) logits to (N, A, classes)."""
    return F.slice_axis(F.softmax(logits, axis=-1), axis=-1, begin=1, end=None)


@dataclass(frozen=True)
class Suppression:
    """Non-maximum suppression (Liu et al., ECCV 2016, section 3.1: scores of at least 0.01, 0.45, 200 of an image).

    The defaults are GluonCV's. The result for an image does not depend on the batch that it is in; the same input
    gives the same bits.

    Attributes:
        threshold: a box is left out where its IoU with a better one of its class is larger.
        top: the scores of an image, over all classes, that are considered.
        keep: the detections of an image that are kept.
        score: detections need a larger score.
    """

    threshold: float = 0.45
    top: int = 400
    keep: int = 100
    score: float = 0.01

    def __post_init__(self) -> None:
        if not isinstance(self.threshold, Real) or not 0 < self.threshold <= 1:
            raise ValueError(f'nms_threshold must be in (0, 1], got {self.threshold!r}')
        if not isinstance(self.score, Real) or not 0 <= self.score < 1:
            raise ValueError(f'score_threshold must be in [0, 1), got {self.score!r}')
        for name, value in (('nms_top', self.top), ('keep', self.keep)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < BOUND:
                raise ValueError(f'{name} must be a positive integer, got {value!r}')
        if self.keep > self.top:
            raise ValueError(f'keep must be at most nms_top {self.top}, got {self.keep}')

    def __call__(self, F: OpNamespace, logits: Tensor, offsets: Tensor, anchors: Tensor, classes: int) -> Tensor:
        """Find the detections.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            logits: (N, A, 1 + classes) float32, the background first.
            offsets: (N, A, 4) float32.
            anchors: (A, 4) float32.
            classes: classes without the background.

        Returns:
            (N, keep, 6) float32: class from 0, score, xmin, ymin, xmax and ymax; by falling score; -1 in rows without
            a detection.
        """
        best = self.best(F, class_scores(F, logits).reshape((0, -1)))  # of (N, A classes)
        anchor = F.floor(best.place / classes)
        boxes = decode(F, of_each(F, offsets, anchor), F.take(anchors, anchor, axis=0))
        return self.suppress(F, best.place - anchor * classes, best.score, boxes)

    def best(self, F: OpNamespace, scores: Tensor) -> Best:
        """Choose the best scores of each image.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            scores: (N, S) float32; there may be fewer than ``top``.
        """
        score, place = top_scores(F, scores, self.top)
        return Best(score, place * (score > self.score))

    def suppress(self, F: OpNamespace, classes: Tensor, scores: Tensor, boxes: Tensor) -> Tensor:
        """Leave out boxes that overlap better ones of their class.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            classes: (N, top), from 0.
            scores: (N, top), by falling score.
            boxes: (N, top, 4): xmin, ymin, xmax and ymax.

        Returns:
            (N, keep, 6), see :meth:`__call__`.
        """
        rows = F.concat(classes.expand_dims(2), scores.expand_dims(2), boxes, dim=2)
        kept = F.contrib.box_nms(
            rows, overlap_thresh=self.threshold, valid_thresh=self.score, topk=-1, id_index=0, score_index=1,
            coord_start=2, force_suppress=False,
        )  # fmt: skip
        return F.slice_axis(kept, axis=1, begin=0, end=self.keep)


class Best(NamedTuple):
    """The best scores of each image, by falling score.

    Attributes:
        score: (N, top); 0 where an image has fewer.
        place: (N, top), their places among the scores of the image; 0 for scores that are too low.
    """

    score: Tensor
    place: Tensor


def top_scores(F: OpNamespace, scores: Tensor, count: int) -> Tuple[Tensor, Tensor]:
    """Choose the best of scores that may be fewer.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        scores: (N, S) float32, not negative.
        count: how many are chosen.

    Returns:
        The scores (N, count), by falling score, and their places; 0 and places from S on where there are fewer.
    """
    first = F.slice_axis(scores, axis=1, begin=0, end=1)
    padding = F.broadcast_axis(F.zeros_like(first), axis=1, size=count)
    return F.topk(F.concat(scores, padding, dim=1), k=count, axis=1, ret_typ='both')

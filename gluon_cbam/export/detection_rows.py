"""Comparison of detections row by row.

Two engines compute scores and boxes that differ by rounding, so that two detections of nearly the same score may change
places, and a box whose overlap is at the threshold of the suppression may be left out by one of them. So a detection
agrees where the other result has one of the same class with nearly the same score and box, at any place. Where there
are as many detections as a network keeps, those of the last score may be other ones of the same score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple

import numpy as np

from .precision import FLOAT16, FLOAT32, INT8, TF32

_BEST = 1000  # candidates of an image that are compared
LEAST_AGREEING: Dict[str, float] = {FLOAT32: 0.998, TF32: 0.95, FLOAT16: 0.9, INT8: 0.5}
"""Precision -> the part of the detections that must agree: coarser numbers decide otherwise more often."""


@dataclass(frozen=True)
class RowAgreement:
    """How well detections agree.

    Attributes:
        rows: detections of all images, of the result that has more.
        agreeing: those that the other result has, too.
        largest: the largest absolute difference of a score or a coordinate of those.
        scale: the largest absolute coordinate that was expected.
    """

    rows: int
    agreeing: int
    largest: float
    scale: float

    @property
    def part(self) -> float:
        """The part of the detections that agree; 1 where there are none."""
        return self.agreeing / self.rows if self.rows else 1.0

    def __add__(self, other: RowAgreement) -> RowAgreement:
        """The agreement of both."""
        return RowAgreement(
            self.rows + other.rows,
            self.agreeing + other.agreeing,
            max(self.largest, other.largest),
            max(self.scale, other.scale),
        )


def candidate_rows(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The best candidates of each image as detections, to compare them row by row.

    Args:
        boxes: (N, R, classes, 4) xmin, ymin, xmax and ymax of each RoI for each class.
        scores: (N, R, classes).

    Returns:
        (N, n, 6), at most 1000 for an image, by falling score: class, score, xmin, ymin, xmax, ymax; a class of -1 in
        rows without a score.
    """
    flat = scores.reshape(len(scores), -1)
    order = np.argsort(-flat, axis=1, kind='stable')[:, :_BEST]
    best = np.take_along_axis(flat, order, axis=1)
    corners = np.take_along_axis(boxes.reshape(len(boxes), -1, 4), order[..., None], axis=1)
    classes = np.where(best > 0, order % scores.shape[2], -1)
    return np.concatenate([classes[..., None], best[..., None], corners], axis=2)


def compare_rows(
    found: np.ndarray,
    expected: np.ndarray,
    tolerance: float,
    masks: Sequence[np.ndarray] = (),
    expected_masks: Sequence[np.ndarray] = (),
) -> RowAgreement:
    """Compare the detections of some images.

    Args:
        found: (N, keep, 6): class, score, xmin, ymin, xmax, ymax; a negative class in rows without a detection.
        expected: likewise.
        tolerance: the largest difference of scores of detections that agree, and of their coordinates over the largest
            one of the detection or, if that is more, of a usual detection of the image: one huge box does not let the
            others differ; and the mean difference of the pixels of their masks.
        masks: the outputs after ``found``: (N, keep, S, S) of a network that finds masks, or none.
        expected_masks: likewise, after ``expected``.

    Returns:
        The agreement.
    """
    total = RowAgreement(0, 0, 0.0, 0.0)
    for number, (one, two) in enumerate(zip(found, expected)):
        there, wanted = one[:, 0] >= 0, two[:, 0] >= 0
        pairs = [(mine[number][there], its[number][wanted]) for mine, its in zip(masks, expected_masks)]
        total += _compare_image(one[there], two[wanted], tolerance, len(two), pairs)
    return total


def _compare_image(
    found: np.ndarray,
    expected: np.ndarray,
    tolerance: float,
    keep: int,
    masks: Sequence[Tuple[np.ndarray, np.ndarray]],
) -> RowAgreement:
    rows, scale = max(len(found), len(expected)), float(np.abs(expected[:, 2:]).max(initial=0))
    differences = np.abs(found[None, :, 1:].astype(np.float64) - expected[:, None, 1:])  # (expected, found, 5)
    extents = np.abs(expected[:, 2:]).max(axis=1, initial=0)
    usual = float(np.median(extents)) if len(extents) else 0.0
    scales = np.maximum(extents, max(usual, 1.0))
    distances = np.maximum(differences[..., 0], differences[..., 1:].max(axis=2, initial=0) / scales[:, None])
    for one, two in masks:
        apart = np.array([np.abs(one.astype(np.float64) - mask).mean(axis=(1, 2)) for mask in two])
        distances = np.maximum(distances, apart.reshape(distances.shape))
    distances[found[None, :, 0] != expected[:, None, 0]] = np.inf
    cut = expected[-1, 1] + tolerance if len(expected) == len(found) == keep else -np.inf
    left, missed, largest = np.ones(len(found), bool), 0, 0.0
    for number in range(len(expected)):
        nearest = int(distances[number].argmin()) if len(found) else -1
        if nearest >= 0 and distances[number, nearest] <= tolerance:
            largest = max(largest, float(differences[number, nearest].max()))
            distances[:, nearest], left[nearest] = np.inf, False
        elif expected[number, 1] > cut:
            missed += 1
    return RowAgreement(rows, rows - max(missed, int((found[left, 1] > cut).sum())), largest, scale)

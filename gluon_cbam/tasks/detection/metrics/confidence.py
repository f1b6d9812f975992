"""Precision, recall and F1 of each class where only detections from a score on are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .class_matches import match_classes
from .greedy import UNMATCHED
from .tables import Found, Truths
from .voc import OVERLAP

GRID = np.linspace(0.0, 1.0, 201)
"""The smallest scores."""


@dataclass(frozen=True, eq=False)
class ConfidenceCurves:
    """Counts at an overlap of 0.5 for detections with at least each score.

    Attributes:
        least: (S,) the smallest scores.
        right: (K, S) int64, detections of a true box that was not detected with a higher score.
        wrong: (K, S) int64, other detections, but for those of crowds.
        objects: (K,) int64, true boxes, but for crowds.
    """

    least: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    objects: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """(K, S) the share of right detections; 1 where there are none, NaN for classes without true boxes."""
        kept = self.right + self.wrong
        precision = np.where(kept > 0, self.right / np.maximum(kept, 1), 1.0)
        return np.where(self.objects[:, None] > 0, precision, np.nan)

    @property
    def recall(self) -> np.ndarray:
        """(K, S) the share of the true boxes that are detected; NaN for classes without."""
        return self.right / np.where(self.objects > 0, self.objects, np.nan)[:, None]

    @property
    def f1(self) -> np.ndarray:
        """(K, S) the harmonic mean of precision and recall; NaN for classes without true boxes."""
        known = self.objects[:, None] > 0
        return np.where(known, 2 * self.right / np.maximum(self.right + self.wrong + self.objects[:, None], 1), np.nan)

    def best(self) -> int:
        """The place in :attr:`least` with the highest mean F1 over the classes, the lowest of equal ones."""
        return int(np.nanmean(self.f1, axis=0).argmax())


def confidence_curves(found: Found, truths: Truths, classes: int) -> ConfidenceCurves:
    """Count right and wrong detections for each class and smallest score.

    Args:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes.
        classes: number of classes.

    Returns:
        The counts.
    """
    owner = match_classes(found, truths, np.array([OVERLAP]))[:, 0]
    matched = owner != UNMATCHED
    right = matched.copy()
    right[matched] = ~truths.crowd[owner[matched]]
    kept, wrong = (_at_least(found.scores[rows], found.classes[rows], classes) for rows in (right, ~matched))
    return ConfidenceCurves(GRID, kept, wrong, np.bincount(truths.classes[~truths.crowd], minlength=classes))


def _at_least(scores: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(K, S) int64: how many scores of each class are at least each of :data:`GRID`."""
    bins = len(GRID) + 1
    reached = np.searchsorted(GRID, scores, side='right')  # values of the grid that are not above the score
    counts = np.bincount(labels * bins + reached, minlength=classes * bins).reshape(classes, bins)
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]

"""Precision over recall, and the areas under it."""

from __future__ import annotations

import numpy as np

_TINY = np.spacing(1)


class Ranking:
    """True and false positives from the highest score to the lowest.

    Precision falls at each false positive, so that its largest values lie at true positives, which alone are kept.

    Args:
        right: (n,) bool, true positives.
        wrong: (n,) bool, false positives; detections that are neither are ignored.
        truths: number of true boxes that count.
    """

    def __init__(self, right: np.ndarray, wrong: np.ndarray, truths: int) -> None:
        self.rows = np.flatnonzero(right)
        """(k,) rows of the true positives."""
        self.truths = truths
        hits = np.arange(1.0, len(self.rows) + 1)
        misses = np.cumsum(wrong)[self.rows]
        self.recall = hits / truths if truths else hits * np.nan
        """(k,) recall at each true positive."""
        precision = hits / (misses + hits + _TINY)
        self.envelope = np.maximum.accumulate(precision[::-1])[::-1]
        """(k,) the largest precision at this or a higher recall."""

    @property
    def last_recall(self) -> float:
        """Recall of all detections; NaN without true boxes."""
        return len(self.rows) / self.truths if self.truths else float('nan')

    def at(self, recalls: np.ndarray) -> np.ndarray:
        """The largest precision at a recall of at least each of some values, 0 where it is not reached.

        Args:
            recalls: (R,) ascending.

        Returns:
            (R,) float64; NaN without true boxes.
        """
        if not self.truths:
            return np.full(len(recalls), np.nan)
        return np.append(self.envelope, 0.0)[np.searchsorted(self.recall, recalls, side='left')]

    def rows_at(self, recalls: np.ndarray) -> np.ndarray:
        """(R,) int64: the row whose score is needed for each recall, see :meth:`at`; -1 where it is not reached."""
        return np.append(self.rows, -1)[np.searchsorted(self.recall, recalls, side='left')]

    def area(self) -> float:
        """The area under the envelope over recall; NaN without true boxes."""
        return float(self.envelope.sum() / self.truths) if self.truths else float('nan')

"""Figures of a classifier from the outcomes of its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.tasks.intervals import Interval, wilson

from .outcomes import Outcomes

BINS = 15
"""Bins of the confidence, as in Guo et al."""


class TopK(NamedTuple):
    """The share of records whose true class is among the most probable ones.

    Attributes:
        k: the number of these classes.
        accuracy: in 0..1.
        interval: the Wilson interval of 95 %.
    """

    k: int
    accuracy: float
    interval: Interval


def top_k(outcomes: Outcomes, k: int) -> TopK:
    """The top-k accuracy of records."""
    hits = outcomes.top_hits(k)
    return TopK(k, hits / len(outcomes), wilson(hits, len(outcomes)))


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """How often each class is true, is predicted, and both.

    Attributes:
        support: records of the class, (K,) int64.
        predicted: records that are predicted as the class, (K,) int64.
        hits: records of the class that are predicted as it, (K,) int64.
    """

    support: np.ndarray
    predicted: np.ndarray
    hits: np.ndarray

    @classmethod
    def of(cls, outcomes: Outcomes, classes: int = 0) -> ClassCounts:
        """Count; K is ``classes``, or more where a label or a prediction is larger."""
        classes = max(classes, int(outcomes.labels.max()) + 1, int(outcomes.predicted.max()) + 1)
        numbers = outcomes.labels, outcomes.predicted, outcomes.labels[outcomes.hits]
        return cls(*(np.bincount(each, minlength=classes) for each in numbers))

    @property
    def precision(self) -> np.ndarray:
        """The share of the predictions of each class that are right, (K,); NaN for a class that is never predicted."""
        with np.errstate(invalid='ignore'):
            return self.hits / self.predicted

    @property
    def recall(self) -> np.ndarray:
        """The share of the records of each class that are found, its accuracy, (K,); NaN for one without records."""
        with np.errstate(invalid='ignore'):
            return self.hits / self.support

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall, (K,); 0 without hits, NaN for a class that never occurs."""
        with np.errstate(invalid='ignore'):
            return 2 * self.hits / (self.support + self.predicted)

    @property
    def macro_f1(self) -> float:
        """The mean of :attr:`f1` over the classes that have records or are predicted."""
        return float(np.nanmean(self.f1))

    @property
    def balanced_accuracy(self) -> float:
        """The mean of :attr:`recall` over the classes that have records."""
        return float(np.nanmean(self.recall))

    def rows(self, names: Sequence[str]) -> List[Dict[str, Any]]:
        """A row of each class for JSON: None where a figure is not defined."""
        figures = (self.precision, self.recall, self.f1)
        return [
            {'class': number, 'label': name, 'precision': precision, 'recall': recall, 'f1': f1, 'support': support}
            for number, (name, precision, recall, f1, support) in enumerate(
                zip(names, *(map(_known, each.tolist()) for each in figures), self.support.tolist())
            )
        ]


def _known(value: float) -> Any:
    return None if np.isnan(value) else value


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidence and accuracy in bins of the confidence (Guo et al., ICML 2017).

    The bins are 15 of equal width, and a confidence at the edge of two belongs to the lower one: (0, 1/15] and so on.

    Attributes:
        counts: records in each bin, (15,) int64.
        confidence: sum of their confidences, (15,).
        hits: how many of them are hits, (15,).
    """

    counts: np.ndarray
    confidence: np.ndarray
    hits: np.ndarray

    @classmethod
    def of(cls, outcomes: Outcomes) -> Calibration:
        """The bins of outcomes."""
        edges = np.arange(1, BINS) / BINS
        bins = np.searchsorted(edges, outcomes.confidence, side='left')
        counts, confidence, hits = (
            np.bincount(bins, weights, BINS) for weights in (None, outcomes.confidence, outcomes.hits)
        )
        return cls(counts, confidence, hits)

    @property
    def ece(self) -> float:
        """Expected calibration error: the gap of accuracy and confidence in the bins, weighted by their records."""
        return float(np.abs(self.hits - self.confidence).sum() / self.counts.sum())

    @property
    def points(self) -> List[Tuple[float, float, int]]:
        """(mean confidence, accuracy, records) of each bin that has records."""
        filled = np.flatnonzero(self.counts)
        counts = self.counts[filled]
        columns = (self.confidence[filled] / counts, self.hits[filled] / counts, counts)
        return list(zip(*(column.tolist() for column in columns)))

"""The ten folds of face verification: a threshold is chosen on nine folds and applied to the tenth.

Source: ``calculate_roc`` and ``calculate_val`` of insightface's ``recognition/ArcFace/verification.py``, which are
those of facenet. Pairs count as the same person where the distance is below the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError

ACCURACY_THRESHOLDS = np.arange(0, 4, 0.01)
"""The thresholds of the accuracy, squared Euclidean distances."""
VAL_THRESHOLDS = np.arange(0, 4, 0.001)
"""The thresholds of VAL."""


def fold_of_pairs(pairs: int, folds: int) -> np.ndarray:
    """The fold of each pair: in order, the first ``pairs % folds`` folds hold one more (scikit-learn's ``KFold``).

    Args:
        pairs: number of pairs.
        folds: number of folds.

    Returns:
        (pairs,) int64.

    Raises:
        DataError: there are fewer pairs than folds, or fewer than two folds.
    """
    if not 2 <= folds <= pairs:
        raise DataError(f'{pairs} pairs in {folds} folds: there must be at least 2 folds, and a pair in each')
    sizes = np.full(folds, pairs // folds)
    sizes[: pairs % folds] += 1
    return np.repeat(np.arange(folds), sizes)


def _below(distances: np.ndarray, chosen: np.ndarray, fold: np.ndarray, folds: int, grid: np.ndarray) -> np.ndarray:
    """(folds, thresholds) int64: how many chosen pairs of each fold have a distance below each threshold."""
    first = np.searchsorted(grid, distances[chosen], side='right')  # the first threshold above the distance
    bins = len(grid) + 1
    counts = np.bincount(fold[chosen] * bins + first, minlength=folds * bins).reshape(folds, bins)
    return counts.cumsum(axis=1)[:, :-1]


@dataclass(frozen=True)
class FoldAccuracies:
    """Accuracies by fold.

    Attributes:
        accuracies: accuracy of each fold at its threshold.
        thresholds: the first best threshold of the other folds.
        correct: pairs that were right, over all folds.
    """

    accuracies: List[float]
    thresholds: Tuple[float, ...]
    correct: int


def fold_accuracies(distances: np.ndarray, same: np.ndarray, folds: int) -> FoldAccuracies:
    """The accuracy of each fold at the first threshold that is best on the others.

    Args:
        distances: (P,) squared Euclidean distances of embeddings of norm 1.
        same: (P,) bool.
        folds: number of folds.

    Returns:
        The accuracies.
    """
    fold, grid = fold_of_pairs(len(distances), folds), ACCURACY_THRESHOLDS
    different = np.bincount(fold[~same], minlength=folds)
    right = _below(distances, same, fold, folds, grid) - _below(distances, ~same, fold, folds, grid)
    right += different[:, None]  # of each fold at each threshold: accepted same and rejected different pairs
    best = (right.sum(axis=0) - right).argmax(axis=1)
    correct = right[np.arange(folds), best]
    return FoldAccuracies((correct / np.bincount(fold)).tolist(), tuple(grid[best].tolist()), int(correct.sum()))


@dataclass(frozen=True)
class FoldRates:
    """True-accept rates by fold at the threshold where the other folds have a false-accept rate.

    Attributes:
        val: mean true-accept rate; None where a fold has no pair of the same person.
        std: its standard deviation over folds.
        far: mean false-accept rate; None where a fold has no pair of different persons.
    """

    val: Optional[float]
    std: Optional[float]
    far: Optional[float]


def fold_rates(distances: np.ndarray, same: np.ndarray, folds: int, far: float) -> FoldRates:
    """VAL: the true-accept rate of each fold at the threshold that gives the others a false-accept rate.

    The false-accept rate of the other folds is interpolated linearly over the thresholds. It is a step function: where
    it has one value at several thresholds the last counts, as in the linear spline of the source's ``interp1d``, which
    newer versions of SciPy refuse for repeated values. The threshold is 0 where the rate is never reached.

    Args:
        distances: (P,) squared Euclidean distances of embeddings of norm 1.
        same: (P,) bool.
        folds: number of folds.
        far: the false-accept rate.

    Returns:
        The rates. Where the other folds have no pair of different persons, they have no threshold and all is None.
    """
    fold, grid = fold_of_pairs(len(distances), folds), VAL_THRESHOLDS
    accepted = _below(distances, ~same, fold, folds, grid)
    positives, negatives = (np.bincount(fold[kind], minlength=folds) for kind in (same, ~same))
    others = negatives.sum() - negatives
    if not others.all():
        return FoldRates(None, None, None)
    rates = (accepted.sum(axis=0) - accepted) / others[:, None]
    limits = np.array([np.interp(far, rate, grid) if rate[-1] >= far else 0.0 for rate in rates])
    below = distances < limits[fold]
    true_accepts, false_accepts = (np.bincount(fold[below & kind], minlength=folds) for kind in (same, ~same))
    mean_far = float((false_accepts / negatives).mean()) if negatives.all() else None
    if not positives.all():
        return FoldRates(None, None, mean_far)
    val = true_accepts / positives
    return FoldRates(float(val.mean()), float(val.std()), mean_far)

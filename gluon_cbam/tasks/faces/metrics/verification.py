"""Verification of pairs: whether two images show the same person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.intervals import Interval, wilson

from .folds import fold_accuracies, fold_of_pairs, fold_rates
from .intervals import equal_error
from .roc import OperatingPoint, check_kinds, check_pairs, roc_curve

FAR_LEVELS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""The false-accept rates at which true-accept rates are reported."""
VAL_FAR = 1e-3
"""The false-accept rate of VAL."""


@dataclass(frozen=True)
class VerificationScores:
    """The figures of a verification set.

    All intervals have a confidence of 95 %, see :mod:`gluon_cbam.tasks.intervals` and
    :mod:`gluon_cbam.tasks.faces.metrics.intervals`.

    Attributes:
        pairs: number of pairs, each counted once.
        same_pairs: pairs of the same person.
        different_pairs: pairs of different persons.
        accuracy: mean over the folds of the accuracy at the threshold that is best on the other folds.
        accuracy_std: standard deviation over the folds.
        accuracy_interval: Wilson interval of the share of pairs that are right.
        thresholds: the threshold of each fold, a squared Euclidean distance.
        val: true-accept rate at the threshold where the other folds have a false-accept rate of :data:`VAL_FAR`, mean
            over the folds; None where a fold lacks the pairs.
        val_std: its standard deviation over the folds.
        far: the false-accept rate at these thresholds, mean over the folds.
        auc: area under the ROC curve.
        auc_interval: its interval; None where it cannot be estimated.
        eer: equal error rate.
        eer_interval: its interval.
        tar_at: false-accept rate -> the largest true-accept rate there.
    """

    pairs: int
    same_pairs: int
    different_pairs: int
    accuracy: float
    accuracy_std: float
    accuracy_interval: Interval
    thresholds: Tuple[float, ...]
    val: Optional[float]
    val_std: Optional[float]
    far: Optional[float]
    auc: float
    auc_interval: Optional[Interval]
    eer: float
    eer_interval: Interval
    tar_at: Dict[float, OperatingPoint]

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as ``--json`` has them; the keys of ``tar_at`` become text such as ``1e-03``."""
        values = asdict(self)
        values['tar_at'] = {f'{level:.0e}': point.as_dict() for level, point in self.tar_at.items()}
        return values


def check_protocol(same: np.ndarray, folds: int, where: str) -> None:
    """Check, before any embedding is computed, that pairs can be scored.

    Args:
        same: (P,) bool, whether a pair is of the same person.
        folds: number of folds.
        where: the set, for messages.

    Raises:
        DataError: a kind of pair is missing, or there are fewer pairs than folds, or fewer than two folds.
    """
    try:
        check_kinds(same)
        fold_of_pairs(len(same), folds)
    except DataError as error:
        raise DataError(f'{where}: {error}') from None


def verify(
    distances: np.ndarray, same: np.ndarray, folds: int = 10, far_levels: Sequence[float] = FAR_LEVELS
) -> VerificationScores:
    """Score the distances of pairs by the protocol of insightface's ``verification.py``.

    Args:
        distances: (P,) squared Euclidean distances of embeddings of norm 1, see :mod:`.embeddings`.
        same: (P,) bool, whether a pair is of the same person.
        folds: number of folds, taken in the order of the pairs.
        far_levels: the false-accept rates of ``tar_at``.

    Returns:
        The figures.

    Raises:
        UsageError: the shapes or types do not fit.
        DataError: a distance is not finite, a kind of pair is missing, or there are fewer pairs than folds.

    Example:
        >>> scores = verify(squared_distances(first, second), same)
        >>> scores.accuracy, scores.tar_at[1e-3].tar
        (0.975, 0.91)
    """
    check_pairs(distances, same)
    accuracies = fold_accuracies(distances, same, folds)
    rates = fold_rates(distances, same, folds, VAL_FAR)
    roc = roc_curve(distances, same)
    eer = roc.eer()
    return VerificationScores(
        pairs=len(distances),
        same_pairs=roc.positives,
        different_pairs=roc.negatives,
        accuracy=float(np.mean(accuracies.accuracies)),
        accuracy_std=float(np.std(accuracies.accuracies)),
        accuracy_interval=wilson(accuracies.correct, len(distances)),
        thresholds=accuracies.thresholds,
        val=rates.val,
        val_std=rates.std,
        far=rates.far,
        auc=roc.auc(),
        auc_interval=roc.auc_interval(),
        eer=eer,
        eer_interval=equal_error(eer, roc.positives, roc.negatives),
        tar_at={level: roc.tar_at(level) for level in far_levels},
    )

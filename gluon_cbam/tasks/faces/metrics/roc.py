"""The ROC curve of pairs: area, equal error rate and true-accept rates at false-accept rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks.intervals import Interval, wilson

from .intervals import delong


@dataclass(frozen=True)
class OperatingPoint:
    """The largest true-accept rate at a false-accept rate of at most a level.

    Attributes:
        tar: true-accept rate.
        interval: the Wilson interval of ``tar`` at ``threshold``.
        threshold: the distance up to which pairs are accepted; None where no pair is.
        false_accepts: accepted pairs of different persons.
        resolved: whether the level allows at least one false accept. A set with fewer than 1 / level pairs of
            different persons cannot measure such a level: ``tar`` is then the rate without any false accept.
    """

    tar: float
    interval: Interval
    threshold: Optional[float]
    false_accepts: int
    resolved: bool

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Roc:
    """What is accepted at each threshold; a pair is accepted where its distance is at most the threshold.

    Attributes:
        thresholds: (K,) float64, the distances that occur, ascending.
        true_accepts: (K,) int64, accepted pairs of the same person.
        false_accepts: (K,) int64, accepted pairs of different persons.
    """

    thresholds: np.ndarray
    true_accepts: np.ndarray
    false_accepts: np.ndarray

    @property
    def positives(self) -> int:
        """The number of pairs of the same person."""
        return int(self.true_accepts[-1])

    @property
    def negatives(self) -> int:
        """The number of pairs of different persons."""
        return int(self.false_accepts[-1])

    @property
    def tar(self) -> np.ndarray:
        """(K,) true-accept rates."""
        return self.true_accepts / self.positives

    @property
    def far(self) -> np.ndarray:
        """(K,) false-accept rates."""
        return self.false_accepts / self.negatives

    def auc(self) -> float:
        """The share of (same, different) where the same has the smaller distance; equal distances count half."""
        tar, far = np.append(0.0, self.tar), np.append(0.0, self.far)
        return float((np.diff(far) * (tar[1:] + tar[:-1])).sum() / 2)

    def auc_interval(self) -> Optional[Interval]:
        """The interval of :meth:`auc`, see :func:`.intervals.delong`."""
        same = np.diff(self.true_accepts, prepend=0)
        different = np.diff(self.false_accepts, prepend=0)
        worse = 1 - (self.false_accepts - different / 2) / self.negatives
        better = (self.true_accepts - same / 2) / self.positives
        return delong(np.stack([worse, same], axis=1), np.stack([better, different], axis=1))

    def eer(self) -> float:
        """The equal error rate: where the straight lines between the points have FAR = 1 - TAR."""
        far, frr = np.append(0.0, self.far), np.append(1.0, 1 - self.tar)
        after = int(np.argmax(far >= frr))
        before = after - 1
        gap = frr[before] - far[before]
        part = gap / (gap + far[after] - frr[after])
        return float(far[before] + part * (far[after] - far[before]))

    def tar_at(self, level: float) -> OperatingPoint:
        """The largest true-accept rate at a false-accept rate of at most ``level``, over all thresholds."""
        number = int(np.searchsorted(self.far, level, side='right')) - 1
        accepted = int(self.true_accepts[number]) if number >= 0 else 0
        return OperatingPoint(
            tar=accepted / self.positives,
            interval=wilson(accepted, self.positives),
            threshold=float(self.thresholds[number]) if number >= 0 else None,
            false_accepts=int(self.false_accepts[number]) if number >= 0 else 0,
            resolved=1 / self.negatives <= level,
        )


def check_pairs(distances: np.ndarray, same: np.ndarray) -> None:
    """Check that distances and their truth fit.

    Raises:
        UsageError: they are not (P,) numbers and (P,) bool.
        DataError: a distance is not finite, or the pairs are all of the same, or all of different persons.
    """
    if distances.ndim != 1 or distances.shape != same.shape or same.dtype != bool:
        raise UsageError(
            f'distances must be (P,) and same (P,) bool, got {distances.shape} and {same.shape} {same.dtype}'
        )
    bad = np.flatnonzero(~np.isfinite(distances))
    if bad.size:
        raise DataError(f'the distance of pair {bad[0]} is not finite ({distances[bad[0]]}): check the embeddings')
    check_kinds(same)


def check_kinds(same: np.ndarray) -> None:
    """Check that there are pairs of both kinds.

    Args:
        same: (P,) bool.

    Raises:
        DataError: all are of the same, or all of different persons.
    """
    positives = int(same.sum())
    if positives in (0, len(same)):
        raise DataError(
            f'{positives} of {len(same)} pairs are of the same person: verification needs pairs of both kinds'
        )


def roc_curve(distances: np.ndarray, same: np.ndarray) -> Roc:
    """The ROC curve of pairs, by one sort.

    Args:
        distances: (P,), smaller for pairs that are more alike.
        same: (P,) bool, whether a pair is of the same person.

    Returns:
        The curve.

    Raises:
        UsageError: the shapes or types do not fit.
        DataError: a distance is not finite, or a kind of pair is missing.

    Example:
        >>> roc_curve(np.array([0.2, 0.9, 1.5]), np.array([True, True, False])).auc()
        1.0
    """
    check_pairs(distances, same)
    order = np.argsort(distances)
    ordered, accepted = distances[order].astype(np.float64), np.cumsum(same[order], dtype=np.int64)
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)  # of each group of equal distances
    return Roc(ordered[last], accepted[last], last + 1 - accepted[last])

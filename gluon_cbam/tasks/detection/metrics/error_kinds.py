"""Errors of a detector by their kind: how often each occurs, and what it costs of AP.

Source: TIDE (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020), sections 2.2
and 2.3, with its thresholds, 0.5 for a detection and 0.1 for background, and the order in which its code tests the
kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from .class_matches import match_classes
from .coco import RECALLS, mean_of_known
from .greedy import UNMATCHED
from .overlaps import Pairs, overlapping
from .precision import Ranking
from .tables import Found, Truths

FOREGROUND, BACKGROUND = 0.5, 0.1
"""The overlaps from which a box is detected, and below which there is nothing."""
KINDS = {
    'class': 'detections of a box of another class',
    'localization': 'detections of the right class at an overlap of 0.1 to 0.5',
    'both': 'detections of another class at an overlap of 0.1 to 0.5',
    'duplicate': 'detections of a box that a surer detection has found',
    'background': 'detections without an overlap of 0.1',
    'missed': 'boxes that are not detected, and that no error of the first two kinds explains',
}
"""Kind -> what is counted."""
_CLASS, _LOCALIZATION, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(len(KINDS))
_NONE = -1  # a detection that is right or ignored


@dataclass(frozen=True, eq=False)
class Errors:
    """The kind of each wrong detection.

    Attributes:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes.
        ignored: (m,) bool, true boxes that are crowds or difficult.
        owner: (n,) the true box that each detection has found, or :data:`.greedy.UNMATCHED`.
        kinds: (n,) places in :data:`KINDS`, -1 for detections that are right or ignored.
        boxes: (n,) the true box that an error of the first two kinds nearly found.
    """

    found: Found
    truths: Truths
    ignored: np.ndarray
    owner: np.ndarray
    kinds: np.ndarray
    boxes: np.ndarray

    def counts(self, least_score: float) -> Dict[str, int]:
        """The number of errors of each kind.

        Args:
            least_score: the smallest score of a detection that counts.
        """
        kept = self.found.scores >= least_score
        times = np.bincount(self.kinds[kept & (self.kinds != _NONE)], minlength=len(KINDS))
        times[_MISSED] = self._missed(kept).sum()
        return dict(zip(KINDS, times.tolist()))

    def costs(self) -> Dict[str, float]:
        """What AP at an overlap of 0.5 would gain if all errors of a kind were corrected, each kind alone.

        The surest detection that nearly found a box is made right, and other errors are removed; missed boxes are.
        """
        classes = 1 + max(int(boxes.classes.max(initial=0)) for boxes in (self.found, self.truths))
        now = self._ap(classes, None)
        return {kind: self._ap(classes, place) - now for place, kind in enumerate(KINDS)}

    def _missed(self, kept: np.ndarray) -> np.ndarray:
        """(m,) bool: true boxes that are neither found nor nearly found by some of the detections."""
        missed = ~self.ignored
        missed[self.owner[kept & (self.owner != UNMATCHED)]] = False
        missed[self.boxes[kept & np.isin(self.kinds, (_CLASS, _LOCALIZATION))]] = False
        return missed

    def _ap(self, classes: int, corrected: Optional[int]) -> float:
        """AP at an overlap of 0.5 where the errors of a kind are corrected."""
        labels, right, wrong = self.found.classes.copy(), self._right(), self.kinds != _NONE
        counting = ~self.ignored
        if corrected == _MISSED:
            counting &= ~self._missed(np.ones(len(labels), bool))
        elif corrected is not None:
            rows = np.flatnonzero(self.kinds == corrected)
            wrong[rows] = False
            if corrected in (_CLASS, _LOCALIZATION):
                rows = np.intersect1d(rows, self._surest())
                right[rows], labels[rows] = True, self.truths.classes[self.boxes[rows]]
        totals = np.bincount(self.truths.classes[counting], minlength=classes)
        aps = [
            Ranking(right[labels == k], wrong[labels == k], int(totals[k])).at(RECALLS).mean() for k in range(classes)
        ]
        return mean_of_known(np.array(aps))

    def _right(self) -> np.ndarray:
        """(n,) bool: detections that have found a box that counts."""
        return (self.owner != UNMATCHED) & ~np.append(self.ignored, True)[self.owner]

    def _surest(self) -> np.ndarray:
        """Rows of the surest errors of the first two kinds for each true box that is not found."""
        near = np.isin(self.kinds, (_CLASS, _LOCALIZATION))
        near[near] = ~np.isin(self.boxes[near], self.owner[self._right()])
        rows = np.flatnonzero(near)
        return rows[np.unique(self.boxes[rows], return_index=True)[1]]


def find_errors(found: Found, truths: Truths) -> Errors:
    """Tell the kind of each wrong detection.

    Args:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes. To miss a crowd or a difficult object is no error, and neither is a detection of its
            class there.

    Returns:
        The errors.
    """
    ignored = truths.crowd | truths.difficult
    owner = match_classes(found, truths, np.array([FOREGROUND]), ignored)[:, 0]
    wrong = owner == UNMATCHED
    over = overlapping(found, truths, FOREGROUND, crowds=True)
    wrong[over.found[ignored[over.truths] & _same_class(over, found, truths)]] = False
    pairs = overlapping(found, truths, BACKGROUND)
    same, counts = _same_class(pairs, found, truths), ~ignored[pairs.truths]
    (near, near_box), (far, far_box) = (_largest(pairs, of & counts, len(found)) for of in (same, ~same))
    tests = (
        ((near >= BACKGROUND) & (near < FOREGROUND), _LOCALIZATION), (far >= FOREGROUND, _CLASS),
        (near >= FOREGROUND, _DUPLICATE), (far >= BACKGROUND, _BOTH),
    )  # fmt: skip
    kinds = np.select([test for test, _ in tests], [kind for _, kind in tests], _BACKGROUND)
    kinds[~wrong] = _NONE
    return Errors(found, truths, ignored, owner, kinds, np.where(kinds == _CLASS, far_box, near_box))


def _same_class(pairs: Pairs, found: Found, truths: Truths) -> np.ndarray:
    return found.classes[pairs.found] == truths.classes[pairs.truths]


def _largest(pairs: Pairs, which: np.ndarray, found: int) -> Tuple[np.ndarray, np.ndarray]:
    """The largest overlap of each detection among some pairs, 0 without any, and its true box."""
    rows, ious = pairs.found[which], pairs.ious[which]
    order = np.argsort(ious, kind='stable')
    largest, box = np.zeros(found), np.full(found, UNMATCHED)
    largest[rows[order]] = ious[order]  # the last of several values stays
    box[rows[order]] = pairs.truths[which][order]
    return largest, box

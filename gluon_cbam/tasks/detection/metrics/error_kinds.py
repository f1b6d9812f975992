"""Errors of a detector by their kind.

Source: TIDE (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020), section 2.2,
with its thresholds, 0.5 for a detection and 0.1 for background, and the order in which its code tests the kinds. They
are counted for detections with at least a score; what each costs of AP is not computed.
"""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np

from .class_matches import match_classes
from .confusion import LEAST_SCORE
from .greedy import UNMATCHED
from .overlaps import Pairs, overlapping
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
_CLASS, _LOCALIZATION, _BOTH, _DUPLICATE, _BACKGROUND = range(5)  # places in KINDS


def error_kinds(found: Found, truths: Truths, least_score: float = LEAST_SCORE) -> Dict[str, int]:
    """Count the errors of each kind.

    Args:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes. To miss a crowd or a difficult object is no error, and neither is a detection of its
            class there.
        least_score: the smallest score of a detection that counts.

    Returns:
        Number of errors for each of :data:`KINDS`.
    """
    found = found.chosen(found.scores >= least_score)
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
    missed = ~ignored
    missed[owner[owner != UNMATCHED]] = False
    for box, kind in ((near_box, _LOCALIZATION), (far_box, _CLASS)):
        missed[box[wrong & (kinds == kind)]] = False
    times = np.bincount(kinds[wrong], minlength=len(KINDS))
    times[-1] = missed.sum()
    return dict(zip(KINDS, times.tolist()))


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

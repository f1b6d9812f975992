"""The confusion matrix of a detector: which classes it takes for which, what it misses, and what it makes up.

The rule is that of ultralytics: a detection and a true box of any classes belong together where they overlap enough,
the largest overlaps first, each at most once. A crowd or a difficult object is ignored, and so is a detection of it.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

from .overlaps import Pairs, overlapping
from .tables import Found, Truths

LEAST_SCORE = 0.25
"""The default of the smallest score of a detection."""


def confusion_matrix(
    found: Found, truths: Truths, classes: int, least_score: float = LEAST_SCORE, least_overlap: float = 0.5
) -> np.ndarray:
    """Count pairs of a true and a detected class.

    Args:
        found: the detections, from the highest score to the lowest: of equal overlaps the surer one decides.
        truths: the true boxes.
        classes: number of classes.
        least_score: the smallest score of a detection that counts.
        least_overlap: the smallest intersection over union of a pair.

    Returns:
        (K + 1, K + 1) int64: true class by detected class. The last column counts true boxes that were missed, the last
        row detections of nothing.
    """
    found = found.chosen(found.scores >= least_score)
    pairs = overlapping(found, truths, least_overlap)
    rows, owners = one_to_one(pairs, len(found), len(truths))
    ignored = truths.crowd | truths.difficult
    detected = np.full(len(truths), classes)
    detected[owners] = found.classes[rows]
    free = np.ones(len(found), bool)
    free[rows] = False
    crowds = overlapping(found, truths.chosen(truths.crowd), least_overlap, crowds=True)
    free[crowds.found] = False
    side = classes + 1
    matrix = np.bincount(truths.classes[~ignored] * side + detected[~ignored], minlength=side * side)
    matrix = matrix.reshape(side, side)
    matrix[classes] += np.bincount(found.classes[free], minlength=side)
    return matrix


def one_to_one(pairs: Pairs, found: int, truths: int) -> Tuple[np.ndarray, np.ndarray]:
    """Pairs with the largest overlaps, each detection and each true box at most once.

    Of equal overlaps the first detection comes first, then the first true box. In each round all pairs are taken that
    are the best of both their sides, which is the same as one pair after the other.

    Args:
        pairs: the overlaps.
        found: number of detections.
        truths: number of true boxes.

    Returns:
        The rows of the detections, (p,), and those of their true boxes.
    """
    place = np.empty(len(pairs.found), np.int64)
    place[np.lexsort((pairs.truths, pairs.found, -pairs.ious))] = np.arange(len(pairs.found))
    taken = np.zeros(len(place), bool)
    left = np.arange(len(place))
    while len(left):
        best = [np.full(size, len(place)) for size in (found, truths)]
        for least, column in zip(best, (pairs.found, pairs.truths)):
            np.minimum.at(least, column[left], place[left])
        chosen = left[(best[0][pairs.found[left]] == place[left]) & (best[1][pairs.truths[left]] == place[left])]
        taken[chosen] = True
        gone = [np.zeros(size, bool) for size in (found, truths)]
        gone[0][pairs.found[chosen]], gone[1][pairs.truths[chosen]] = True, True
        left = left[~(gone[0][pairs.found[left]] | gone[1][pairs.truths[left]])]
    return pairs.found[taken], pairs.truths[taken]

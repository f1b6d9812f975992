"""The figures of COCO: average precision and recall over overlaps, sizes and numbers of detections.

Source: ``COCOeval`` of pycocotools, whose summary they equal. A crowd is ignored, as is an object outside the range of
areas: finding it neither counts nor harms. COCO knows no ``difficult`` objects, so that these count as others do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict

import numpy as np

from .greedy import UNMATCHED, match, ranks
from .overlaps import Pairs, overlapping
from .precision import Ranking
from .tables import Found, Truths

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""The overlaps from which a detection counts as right."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""The recalls at which precision is averaged."""
MOST = (1, 10, 100)
"""The numbers of detections of a class and an image, those with the highest scores, that recall is measured with."""
AREAS = {'all': (0.0, 1e10), 'small': (0.0, 32.0**2), 'medium': (32.0**2, 96.0**2), 'large': (96.0**2, 1e10)}
"""Ranges of the areas of objects in square pixels, the limits included."""
NAMES = (
    'ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large',
    'ar1', 'ar10', 'ar100', 'ar_small', 'ar_medium', 'ar_large',
)  # fmt: skip
"""The twelve figures, in the order of pycocotools' summary."""
_LIMITS = np.array(list(AREAS.values()))


@dataclass(frozen=True, eq=False)
class CocoClass:
    """What COCO measures of one class; NaN where no true box counts.

    Attributes:
        precision: (T, R) the largest precision at a recall of at least :data:`RECALLS`, for each of :data:`THRESHOLDS`.
        scores: (T, R) the score at which that recall is reached, 0 where it is not.
        ap: (T, A) average precisions for each of :data:`AREAS`.
        recall: (T, A) recalls of the first 100 detections of each image.
        recall_of_few: (T, M) recalls of the first :data:`MOST` detections of each image, of any size.
    """

    precision: np.ndarray
    scores: np.ndarray
    ap: np.ndarray
    recall: np.ndarray
    recall_of_few: np.ndarray


def coco_class(found: Found, truths: Truths, overlapping: Callable[..., Pairs] = overlapping) -> CocoClass:
    """Measure one class.

    Args:
        found: its detections, from the highest score to the lowest.
        truths: its true boxes.
        overlapping: gives the pairs that overlap, see :func:`.overlaps.overlapping`.

    Returns:
        The figures.
    """
    rank = ranks(found.images, np.arange(len(found)))
    kept = rank < MOST[-1]
    found, rank = found.chosen(kept), rank[kept]
    ignored = truths.crowd[:, None] | _outside(truths.areas)
    pairs = overlapping(found, truths, float(THRESHOLDS[0]), crowds=True)
    taken_by = match(pairs, found.images, truths.crowd, ignored, THRESHOLDS)
    counting, outside = (~ignored).sum(axis=0), _outside(found.areas)
    values = [[_ranking(taken_by[:, t, a], ignored[:, a], outside[:, a], int(counting[a])) for a in range(len(AREAS))]
              for t in range(len(THRESHOLDS))]  # fmt: skip
    few = [[(rank[row[0].rows] < most).sum() for most in MOST] for row in values]
    scores = np.append(found.scores, 0.0)
    return CocoClass(
        precision=np.array([row[0].at(RECALLS) for row in values]),
        scores=np.array([scores[row[0].rows_at(RECALLS)] for row in values]),
        ap=np.array([[each.at(RECALLS).mean() for each in row] for row in values]),
        recall=np.array([[each.last_recall for each in row] for row in values]),
        recall_of_few=np.array(few) / (counting[0] or np.nan),
    )


def _outside(areas: np.ndarray) -> np.ndarray:
    """(n, A) bool: whether areas lie outside each range."""
    return (areas[:, None] < _LIMITS[:, 0]) | (areas[:, None] > _LIMITS[:, 1])


def _ranking(taken_by: np.ndarray, ignored: np.ndarray, outside: np.ndarray, counting: int) -> Ranking:
    """True and false positives at one threshold in one range of areas."""
    matched = taken_by != UNMATCHED
    right = matched.copy()
    right[matched] = ~ignored[taken_by[matched]]
    return Ranking(right, ~matched & ~outside, counting)


def summary(ap: np.ndarray, recall: np.ndarray, recall_of_few: np.ndarray) -> Dict[str, float]:
    """The twelve figures by :data:`NAMES`: means over the classes that have true boxes in the range.

    Args:
        ap: (K, T, A), see :class:`CocoClass`.
        recall: (K, T, A).
        recall_of_few: (K, T, M).

    Returns:
        Name -> value, 0 to 1; NaN where no class has a true box in the range.
    """
    half, three_quarters = 0, 5  # places in THRESHOLDS
    of_sizes, most = range(1, len(AREAS)), range(len(MOST))
    values = [
        ap[:, :, 0], ap[:, half, 0], ap[:, three_quarters, 0], *(ap[:, :, size] for size in of_sizes),
        *(recall_of_few[:, :, m] for m in most), *(recall[:, :, size] for size in of_sizes),
    ]  # fmt: skip
    return {name: mean_of_known(value) for name, value in zip(NAMES, values)}


def mean_of_known(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float('nan')

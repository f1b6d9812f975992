"""COCO's matching: from the highest score to the lowest, each detection takes the true box that overlaps it most.

Source: ``COCOeval.evaluateImg`` of pycocotools. The detections of one rank in all images are matched at once, and for
all thresholds, so that nothing loops over boxes.
"""

from __future__ import annotations

import numpy as np

from .overlaps import Pairs

UNMATCHED = -1
"""The row of a true box that stands for none."""
_EXACT = 1 - 1e-10  # the threshold 1 would fail by rounding (pycocotools)


def match(
    pairs: Pairs, images: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Match the detections of one class, or of all classes as one.

    A detection takes a free true box that counts; if none overlaps it enough, one that is ignored. A crowd may be taken
    by many. Of equal overlaps the last true box is taken.

    Args:
        pairs: the overlaps; detections are numbered from the highest score to the lowest.
        images: (n,) int64, the image of each detection.
        crowd: (m,) bool, whether a true box is a crowd; crowds must be ignored.
        ignored: (m, A) bool, whether a true box is ignored, for each of A ranges of areas.
        thresholds: (T,) the smallest overlaps.

    Returns:
        (n, T, A) int32: the row of the true box, or :data:`UNMATCHED`.
    """
    shape = (len(images), len(thresholds), ignored.shape[1])
    taken_by = np.full((shape[0], shape[1] * shape[2]), UNMATCHED, np.int32)
    least = np.repeat(np.minimum(thresholds, _EXACT), shape[2])
    ignored = np.tile(ignored, (1, shape[1]))
    free = np.ones(ignored.shape, bool)
    for found, truths, ious in _rounds(pairs, images):
        starts = np.flatnonzero(np.append(True, found[1:] != found[:-1]))
        possible = (ious[:, None] >= least) & (free[truths] | crowd[truths, None])
        place = np.arange(len(found))[:, None] + np.where(ignored[truths], 0, len(found))
        best = np.maximum.reduceat(np.where(possible, place, UNMATCHED), starts, axis=0)
        row, column = np.nonzero(best != UNMATCHED)
        chosen = truths[best[row, column] % len(found)]
        taken_by[found[starts][row], column] = chosen
        free[chosen, column] = False
    return taken_by.reshape(shape)


def _rounds(pairs: Pairs, images: np.ndarray) -> list:
    """The pairs of the first detection of every image, of the second and so on, the overlaps of each ascending."""
    if not len(pairs.found):
        return []
    rank = ranks(images[pairs.found], pairs.found)
    order = np.lexsort((pairs.truths, pairs.ious, pairs.found, rank))
    ends = np.flatnonzero(np.diff(rank[order])) + 1
    return list(zip(*(np.split(column[order], ends) for column in pairs)))


def ranks(groups: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rank of each entry among those of its group, from 0.

    Args:
        groups: (n,) int64, the group of each entry.
        rows: (n,) int64, what is ranked, ascending; entries of one group with the same row share a rank.

    Returns:
        (n,) int64.

    Example:
        >>> ranks(np.array([5, 5, 5, 8]), np.array([0, 0, 1, 2]))
        array([0, 0, 1, 0])
    """
    order = np.lexsort((rows, groups))
    group, row = groups[order], rows[order]
    new_group = np.append(True, group[1:] != group[:-1])[: len(group)]
    new_row = new_group | np.append(True, row[1:] != row[:-1])[: len(group)]
    count = np.cumsum(new_row)
    found = np.empty(len(group), np.int64)
    found[order] = count - np.maximum.accumulate(np.where(new_group, count, 0))
    return found

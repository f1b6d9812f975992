"""The true box that each detection is right about, for all classes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np

from .coco import MOST
from .greedy import match, ranks
from .overlaps import overlapping
from .tables import Found, Truths


def match_classes(
    found: Found, truths: Truths, thresholds: np.ndarray, ignored: Optional[np.ndarray] = None
) -> np.ndarray:
    """Match detections to the true boxes of their class as COCO does, see :func:`.greedy.match`.

    Those beyond the first 100 of a class in an image are not matched.

    Args:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes.
        thresholds: (T,) the smallest overlaps.
        ignored: (m,) bool, true boxes that are taken where no other overlaps enough; default the crowds.

    Returns:
        (n, T) int32: the row of the true box, or :data:`.greedy.UNMATCHED`.
    """
    classes = 1 + max(int(boxes.classes.max(initial=0)) for boxes in (found, truths))
    grouped = replace(found, images=found.images * classes + found.classes)
    true = replace(truths, images=truths.images * classes + truths.classes)
    kept = np.flatnonzero(ranks(grouped.images, np.arange(len(found))) < MOST[-1])
    pairs = overlapping(grouped.chosen(kept), true, float(thresholds.min()), crowds=True)
    pairs = pairs._replace(found=kept[pairs.found])
    return match(
        pairs, grouped.images, truths.crowd, (truths.crowd if ignored is None else ignored)[:, None], thresholds
    )[:, :, 0]

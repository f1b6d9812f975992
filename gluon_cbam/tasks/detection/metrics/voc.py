"""The average precisions of Pascal VOC, at an overlap of 0.5: over 11 recalls (2007) and the whole area (from 2010).

Source: ``VOCevaldet.m`` of the VOC development kits. A detection belongs to the true box of its class that it overlaps
most, whether that is taken or not; the first detection of a true box is right, and others are wrong. A difficult object
is ignored: finding it neither counts nor harms. VOC knows no crowds; COCO's are ignored too, since they are no single
objects. Corners of VOC include their last pixel; in :class:`gluon_cbam.data.boxes.table.Boxes` xmax and ymax are one
more, so that widths and overlaps are the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .overlaps import overlapping
from .precision import Ranking
from .tables import Found, Truths

OVERLAP = 0.5
"""The intersection over union from which a detection counts as right."""
RECALLS_2007 = np.arange(0.0, 1.1, 0.1)
"""The recalls of VOC 2007, with the rounding that all implementations share (0.3 is 0.30000000000000004)."""


class VocClass(NamedTuple):
    """The average precisions of a class; NaN where no true box counts.

    Attributes:
        voc07: the mean of the largest precisions at a recall of at least 0, 0.1 ... 1.
        voc: the area under the largest precision at each recall or above.
    """

    voc07: float
    voc: float


def voc_class(found: Found, truths: Truths) -> VocClass:
    """Measure one class.

    Args:
        found: its detections, from the highest score to the lowest.
        truths: its true boxes.

    Returns:
        The average precisions.
    """
    pairs = overlapping(found, truths, OVERLAP)
    order = np.lexsort((pairs.truths, -pairs.ious, pairs.found))
    # the true box of the largest overlap of each detection, the first of equal ones
    rows, best = np.unique(pairs.found[order], return_index=True)
    owners = pairs.truths[order][best]
    firsts = np.unique(owners, return_index=True)[1]
    without = truths.difficult | truths.crowd
    right, ignored = np.zeros(len(found), bool), np.zeros(len(found), bool)
    right[rows[firsts]] = True
    ignored[rows] = without[owners]
    ranking = Ranking(right & ~ignored, ~right & ~ignored, int((~without).sum()))
    return VocClass(float(ranking.at(RECALLS_2007).mean()), ranking.area())

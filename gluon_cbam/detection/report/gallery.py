"""Pictures of the report: the truth beside the detections."""

from __future__ import annotations

from typing import List

import numpy as np

from gluon_cbam.common.errors import CbamError
from gluon_cbam.detection.drawing import detection_boxes, draw_boxes, fit, scaled, true_boxes
from gluon_cbam.explain.figures.html import figure_of
from gluon_cbam.tasks.detection.metrics.class_matches import match_classes
from gluon_cbam.tasks.detection.metrics.greedy import UNMATCHED
from gluon_cbam.tasks.detection.metrics.tables import columns_of
from gluon_cbam.tasks.detection.metrics.voc import OVERLAP
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .measures import Measures

_SIDE = 480  # the longer side of a picture, in pixels
_PAPER = 225  # gray of a picture that cannot be read
_LARGEST_PAPER = 8192


def picture_figure(scored: ScoredBoxes, measures: Measures, number: int) -> str:
    """HTML of an image: its true boxes, and beside them its detections, the wrong ones dashed.

    Args:
        scored: the set.
        measures: its measures; detections below their smallest score are not drawn.
        number: number of the image.
    """
    truth, found = scored.truths[number], scored.detections[number]
    found = found.chosen(np.argsort(-found.scores, kind='stable'))
    found = found.chosen(found.scores >= measures.least_score)
    boxes, flat = columns_of([truth], [found], len(scored.classes))
    wrong = match_classes(flat, boxes, np.array([OVERLAP]))[:, 0] == UNMATCHED
    pixels, scale = fit(_pixels(scored, number), _SIDE)
    pictures = {
        'truth': draw_boxes(pixels, scaled(true_boxes(truth, scored.classes), scale)),
        'detections': draw_boxes(pixels, scaled(detection_boxes(found, scored.classes, wrong), scale)),
    }
    rate = measures.pictures.ap[number]
    rated = 'no object that counts' if np.isnan(rate) else f'AP {rate:.3f}'
    counts = f'{len(truth)} true, {len(found)} detected, of which {int(wrong.sum())} wrong'
    return figure_of(scored.image_name(number), pictures, f'{rated}, {counts}')


def _pixels(scored: ScoredBoxes, number: int) -> np.ndarray:
    """The picture; gray paper of the size of its boxes where it cannot be read."""
    try:
        return scored.load(number)
    except (CbamError, OSError):
        corners: List[np.ndarray] = [scored.truths[number].corners, scored.detections[number].corners]
        width, height = np.concatenate([*corners, np.ones((1, 4))])[:, 2:].max(axis=0)
        size = [int(min(max(length, 64), _LARGEST_PAPER)) for length in (height, width)]
        return np.full((*size, 3), _PAPER, np.uint8)

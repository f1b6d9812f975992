"""How well a network knows the pictures of a training batch, for dry runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence, Tuple

import numpy as np

from gluon_cbam.data.boxes.mask_parts import UNKNOWN
from gluon_cbam.data.boxes.table import Boxes

from .detections import Detections
from .mask_pasting import pasted_texts
from .metrics.scores import score

_OF_BOXES, _OF_MASKS = ('ap', 'ap50'), ('mask_ap', 'mask_ap50')


def batch_figures(batch: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Dict[str, float]:
    """AP and AP50 of a network on a training batch, in pixels of its input.

    Args:
        batch: the arrays of a :class:`gluon_cbam.data.loading.box_training.DetectionBatch` with an object, or of a
            :class:`gluon_cbam.data.loading.box_mask_training.MaskedDetectionBatch`.
        outputs: the detections (N, keep, 6); and their masks, where the batch has some.

    Returns:
        The figures by name.
    """
    images, boxes, *masks = batch
    size = images.shape[1], images.shape[2]
    objects = [rows[rows[:, 0] >= 0].astype(np.float64) for rows in boxes]
    found = [rows[rows[:, 0] >= 0].astype(np.float64) for rows in outputs[0]]
    classes = 1 + int(max(rows[:, 0].max() for rows in (*objects, *found) if len(rows)))
    truths = [Boxes.of(rows[:, 1:], rows[:, 0]) for rows in objects]
    texts: Sequence[Sequence[str]] = [[] for _ in found]
    if masks:
        truths = [_segmented(*each, size) for each in zip(truths, boxes, masks[0])]
        texts = [pasted_texts(parts[rows[:, 0] >= 0], rows[rows[:, 0] >= 0, 2:], *size)
                 for rows, parts in zip(outputs[0], outputs[1])]  # fmt: skip
    detections = [
        Detections.of(rows[:, 0], rows[:, 1], rows[:, 2:], own if masks else None) for rows, own in zip(found, texts)
    ]
    names = [str(number) for number in range(classes)]
    figures = score(truths, detections, names, [size] * len(truths) if masks else None).figures
    return {name: figures[name] for name in (*_OF_BOXES, *_OF_MASKS) if name in figures}


def _segmented(boxes: Boxes, rows: np.ndarray, masks: np.ndarray, size: Tuple[int, int]) -> Boxes:
    """The objects of an image with their masks in its pixels."""
    parts = masks[rows[:, 0] >= 0]
    texts: List[str] = pasted_texts(np.where(parts == UNKNOWN, 0, parts), boxes.corners, *size)
    known = (parts != UNKNOWN).all(axis=(1, 2))
    own = [text if there else '' for text, there in zip(texts, known)]
    return replace(boxes, segmentations=np.array([*own, ''], object)[:-1])

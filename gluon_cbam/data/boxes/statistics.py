"""Statistics of pictures with boxes: sizes, aspect ratios, boxes a picture, by class."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.common.image_size import ImageSize, height_width

from .anchors import suggest_anchors
from .columns import BoxColumns

_SMALL, _MEDIUM = 32**2, 96**2  # square pixels, as COCO divides areas


def box_statistics(
    columns: BoxColumns, classes: Sequence[str], anchors: Optional[int] = None, image_size: ImageSize = 300
) -> Dict[str, Any]:
    """Describe the boxes of a table.

    Args:
        columns: the pictures and their boxes; corners are finite and not reversed.
        classes: names of the classes.
        anchors: number of anchors to suggest, for the boxes that are neither difficult nor crowds; default none.
        image_size: the size of the network's input, to which anchors are scaled.

    Returns:
        Values for JSON: ``pictures``; ``empty`` ones among them; ``boxes``; ``difficult`` and ``crowd`` ones, and
        those ``segmented``;
        ``by_area``, numbers of small, medium and large boxes as COCO divides areas; ``per_picture``, ``width``,
        ``height`` in pixels, ``share`` of the picture's side (the square root of the area's share) and ``aspect``
        (width over height), each with ``min``, ``median`` and ``max``, or None without boxes; ``picture_width`` and
        ``picture_height``; ``classes``, a list of ``name``, ``boxes`` and ``pictures``; ``anchors``, see
        :func:`.anchors.suggest_anchors`.
    """
    boxes, sizes = columns.boxes, columns.sizes
    sides = boxes.corners[:, 2:] - boxes.corners[:, :2]
    usual = ~(boxes.difficult | boxes.crowd)
    shares = sides / np.maximum(sizes[columns.owners][:, ::-1], 1)
    return {
        'pictures': len(columns), 'empty': int((columns.counts == 0).sum()), 'boxes': len(boxes),
        'difficult': int(boxes.difficult.sum()), 'crowd': int(boxes.crowd.sum()), 'segmented': boxes.segmented,
        'by_area': {
            'small': int((boxes.areas < _SMALL).sum()),
            'medium': int(((boxes.areas >= _SMALL) & (boxes.areas <= _MEDIUM)).sum()),
            'large': int((boxes.areas > _MEDIUM).sum()),
        },
        'per_picture': quantiles(columns.counts), 'width': quantiles(sides[:, 0]), 'height': quantiles(sides[:, 1]),
        'share': quantiles(np.sqrt(shares.prod(axis=1).clip(0))), 'aspect': quantiles(sides[:, 0] / sides[:, 1]),
        'picture_width': quantiles(sizes[:, 1]), 'picture_height': quantiles(sizes[:, 0]),
        'classes': _by_class(columns, classes),
        'anchors': None if anchors is None else _anchors(shares[usual], anchors, image_size),
    }  # fmt: skip


def quantiles(values: np.ndarray) -> Optional[Dict[str, float]]:
    """Minimum, median and maximum; None of nothing."""
    if not len(values):
        return None
    return {name: float(getattr(np, name)(values)) for name in ('min', 'median', 'max')}


def _by_class(columns: BoxColumns, classes: Sequence[str]) -> List[Dict[str, Any]]:
    labels = columns.boxes.classes
    counts = np.bincount(labels, minlength=len(classes))
    pairs = np.unique(np.column_stack([columns.owners, labels]), axis=0)
    pictures = np.bincount(pairs[:, 1], minlength=len(classes))
    return [
        {'name': name, 'boxes': int(boxes), 'pictures': int(images)}
        for name, boxes, images in zip(classes, counts, pictures)
    ]


def _anchors(shares: np.ndarray, count: int, image_size: ImageSize) -> Dict[str, Any]:
    found = suggest_anchors(shares * height_width(image_size)[::-1], count)
    return {
        'image_size': image_size, 'mean_iou': found.mean_iou,
        'sizes': np.round(found.sizes, 1).tolist(), 'boxes': found.boxes.tolist(),
    }  # fmt: skip

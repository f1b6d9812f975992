"""The part of an object's segmentation that a box shows, as a small mask that fills the box."""

from __future__ import annotations

import json
from typing import Sequence

import numpy as np

from .segmentations import bitmap, filled, mask_size, polygon_of

SIDE, UNKNOWN = 112, 255
"""Pixels of a mask along each side, and the value of all pixels for an object without a segmentation."""


def mask_part(segmentation: str, part: Sequence[float]) -> np.ndarray:
    """The part of a segmentation that a box shows.

    Polygons are moved and scaled as the box is, and then filled, so that their masks are exact at any scale. Of masks,
    the nearest pixels are taken.

    Args:
        segmentation: see :func:`.segmentations.normalized`; empty for none.
        part: what is at the left, the top, the right and the bottom of the box, in pixels of the picture; the left is
            larger than the right where the box shows its mirror image.

    Returns:
        (SIDE, SIDE) uint8, 1 inside of the object and 0 outside; :data:`UNKNOWN` without a segmentation.
    """
    if not segmentation:
        return np.full((SIDE, SIDE), UNKNOWN, np.uint8)
    begin, end = np.array(part[:2], np.float64), np.array(part[2:], np.float64)
    if segmentation.startswith('['):
        polygons = (polygon_of(numbers) for numbers in json.loads(segmentation))
        return filled([(corners - begin) / (end - begin) * SIDE for corners in polygons], SIDE, SIDE)
    places = begin + (np.arange(SIDE)[:, None] + 0.5) / SIDE * (end - begin)
    height, width = mask_size(segmentation)
    columns, rows = np.floor(places).astype(np.int64).clip(0, [width - 1, height - 1]).T
    return bitmap(segmentation, height, width)[rows[:, None], columns]

"""From the masks of boxes to pixels of an image."""

from __future__ import annotations

import math
from typing import List, Sequence

import numpy as np

from gluon_cbam.data.boxes.segmentations import mask_text

_LEAST = 0.5  # probability of a pixel of a mask


def pasted_texts(masks: np.ndarray, corners: np.ndarray, height: int, width: int) -> List[str]:
    """The segmentations of objects in an image.

    Args:
        masks: (n, S, S), the probability of each pixel; a mask fills its box.
        corners: (n, 4) xmin, ymin, xmax and ymax in pixels of the image, which may be outside.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        Their texts, see :func:`gluon_cbam.data.boxes.segmentations.normalized`.
    """
    return [mask_text(pasted(mask, box, height, width)) for mask, box in zip(masks, corners.tolist())]


def pasted(mask: np.ndarray, corners: Sequence[float], height: int, width: int) -> np.ndarray:
    """The pixels of an object, by bilinear interpolation of its mask (``paste_masks_in_image`` of Detectron2).

    A pixel is inside where the probability at its center is at least 0.5; outside of the box, it is 0.

    Args:
        mask: (S, S), the probability of each pixel of the mask.
        corners: xmin, ymin, xmax and ymax of its box in pixels of the image.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        (height, width) bool.
    """
    left, top, right, bottom = corners
    columns, across = _weights(left, right, width, mask.shape[1])
    rows, down = _weights(top, bottom, height, mask.shape[0])
    pixels = np.zeros((height, width), bool)
    pixels[rows, columns] = down @ mask.astype(np.float64) @ across.T >= _LEAST
    return pixels


def _weights(low: float, high: float, length: int, side: int) -> tuple:
    """The pixels of an axis that a box covers, and the weight of each pixel of the mask for them, (pixels, side)."""
    first, last = max(math.floor(low), 0), min(math.ceil(high), length)
    if not low < high or first >= last:
        return slice(0, 0), np.zeros((0, side))
    places = (np.arange(first, last) + 0.5 - low) / (high - low) * side - 0.5
    return slice(first, last), np.maximum(1 - np.abs(places[:, None] - np.arange(side)), 0)

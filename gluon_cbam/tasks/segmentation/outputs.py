"""From the logits of a network to the class of each pixel of a picture, at the picture's own size."""

from __future__ import annotations

from typing import Protocol, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError

_EXACT = 1e-6  # pixels


class ToImage(Protocol):
    """What maps places in the network's input to places in the picture."""

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.to_image`."""


def class_mask(logits: np.ndarray, prepare: ToImage, height: int, width: int) -> np.ndarray:
    """The class with the largest logit in each pixel; the logits are resized bilinearly.

    Args:
        logits: (classes, h, w), of the network's input.
        prepare: how the picture became the input.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        (height, width) uint8.

    Raises:
        UsageError: the network did not see the whole picture.
    """
    left, top, right, bottom = _seen(logits.shape[1], logits.shape[2], prepare, height, width)
    best, found = np.full((height, width), -np.inf, np.float32), np.zeros((height, width), np.uint8)
    for number, of_class in enumerate(logits):
        part = np.ascontiguousarray(of_class[top:bottom, left:right], np.float32)
        value = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        better = value > best
        found[better] = number
        np.maximum(best, value, out=best)
    return found


def _seen(rows: int, columns: int, prepare: ToImage, height: int, width: int) -> Tuple[int, ...]:
    """The place of the picture in the input: left, top, right and bottom."""
    begin, next_one = prepare.to_image(np.array([[0.0, 0.0], [1.0, 1.0]]), height, width)
    factors = next_one - begin  # pixels of the picture for one of the input
    left, top = -begin / factors
    right, bottom = left + width / factors[0], top + height / factors[1]
    if left < -_EXACT or top < -_EXACT or right > columns + _EXACT or bottom > rows + _EXACT:
        raise UsageError(
            'segmentation needs the whole picture in the input: take --resize letterbox or stretch, not crop'
        )
    return tuple(int(round(float(edge))) for edge in (left, top, right, bottom))

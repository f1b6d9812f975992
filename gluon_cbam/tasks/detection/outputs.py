"""The output of a detector for an image, in pixels of the image."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class ToImage(Protocol):
    """What knows the places of the network's input in the image, such as a :class:`.Preprocessing`."""

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.to_image`."""


def rows_in_image(rows: np.ndarray, preprocessing: ToImage, height: int, width: int) -> np.ndarray:
    """Take the detections out of the output for an image.

    Boxes are clipped at the borders of the image; those of which nothing is inside are left out.

    Args:
        rows: (keep, 6): class, score, xmin, ymin, xmax, ymax in pixels of the network's input; a negative class in rows
            without a detection.
        preprocessing: how the image became the input.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        (n, 6) float64 in pixels of the image, in the same order.
    """
    found = np.asarray(rows, np.float64)
    found = found[found[:, 0] >= 0]
    corners = preprocessing.to_image(found[:, 2:].reshape(-1, 2), height, width).reshape(-1, 4)
    corners = corners.clip(0, [width, height, width, height])
    inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return np.column_stack([found[:, :2], corners])[inside]

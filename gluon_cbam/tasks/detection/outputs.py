"""The output of a detector for an image, in pixels of the image."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Protocol

import numpy as np

from .mask_pasting import pasted_texts


class ToImage(Protocol):
    """What knows the places of the network's input in the image, such as a :class:`.Preprocessing`."""

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.to_image`."""


class ImageRows(NamedTuple):
    """The detections of an image, in the order of the output.

    Attributes:
        rows: (n, 6) float64: class, score, xmin, ymin, xmax and ymax in pixels of the image, clipped at its borders.
        places: (n,) int64, their rows in the output.
        corners: (n, 4) float64, the corners before they were clipped, which masks fill.
    """

    rows: np.ndarray
    places: np.ndarray
    corners: np.ndarray

    def chosen(self, which: np.ndarray) -> ImageRows:
        """Some of the detections: (n,) bool, or their numbers in the new order."""
        return ImageRows(*(each[which] for each in self))

    def segmentations(self, masks: Optional[np.ndarray], height: int, width: int) -> Optional[List[str]]:
        """The masks of the detections in the image.

        Args:
            masks: (keep, S, S), the masks of the output; None for none.
            height: height of the image, in pixels.
            width: width of the image, in pixels.

        Returns:
            Their texts, see :func:`gluon_cbam.data.boxes.segmentations.normalized`.
        """
        return None if masks is None else pasted_texts(masks[self.places], self.corners, height, width)


def rows_in_image(rows: np.ndarray, preprocessing: ToImage, height: int, width: int) -> ImageRows:
    """Take the detections out of the output for an image.

    Boxes are clipped at the borders of the image; those of which nothing is inside are left out.

    Args:
        rows: (keep, 6): class, score, xmin, ymin, xmax, ymax in pixels of the network's input; a negative class in rows
            without a detection.
        preprocessing: how the image became the input.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        The detections.
    """
    found = np.asarray(rows, np.float64)
    places = np.flatnonzero(found[:, 0] >= 0)
    found = found[places]
    corners = preprocessing.to_image(found[:, 2:].reshape(-1, 2), height, width).reshape(-1, 4)
    clipped = corners.clip(0, [width, height, width, height])
    inside = np.flatnonzero((clipped[:, 2:] > clipped[:, :2]).all(axis=1))
    return ImageRows(np.column_stack([found[:, :2], clipped]), places, corners).chosen(inside)

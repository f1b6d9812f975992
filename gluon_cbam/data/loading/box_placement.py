"""Parts of pictures that are put into another picture, and what becomes of their boxes.

All geometry of the augmentation with boxes is one map: a rectangle of whole pixels of the picture is resized to a
rectangle of whole pixels of the result. Boxes go through the map of the pixels, not through the numbers that it was
rounded from, so that they stay on their objects to a fraction of a pixel.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.data.resizing import Frame, Region


class Placement(NamedTuple):
    """A part of a picture and its place in the result.

    Attributes:
        source: the part of the picture.
        target: the place in the result that the part is resized to.
    """

    source: Region
    target: Region

    def moved(self, corners: np.ndarray) -> np.ndarray:
        """Boxes of the picture in the result, not clipped.

        Args:
            corners: (n, 4) in pixels of the picture.

        Returns:
            (n, 4) float64 in pixels of the result.
        """
        begin, factors, place = (np.array(pair * 2) for pair in self._map())
        return (corners - begin) * factors + place

    def _map(self) -> Tuple[Tuple[int, int], Tuple[float, float], Tuple[int, int]]:
        """What is subtracted from x and y, what they are multiplied by, and what is added."""
        source, target = self
        factors = target.width / source.width, target.height / source.height
        return (source.left, source.top), factors, (target.left, target.top)

    def visible(self, corners: np.ndarray, keeps_cut: bool = False) -> Tuple[np.ndarray, np.ndarray]:
        """Boxes of the picture in the result, clipped to the place; without those whose center is outside.

        Args:
            corners: (n, 4) in pixels of the picture.
            keeps_cut: whether, instead, those stay of which a pixel of both sides is inside; default False.

        Returns:
            (m, 4) float64 in pixels of the result, and their indices, (m,).
        """
        (begin, above), (across, down), (left, top) = self._map()
        right, bottom = left + self.target.width, top + self.target.height
        seen, kept = [], []
        # most pictures have few boxes, for which a loop takes less time than operations of NumPy
        for number, (x1, y1, x2, y2) in enumerate(corners.tolist()):
            xmin, xmax = (x1 - begin) * across + left, (x2 - begin) * across + left
            ymin, ymax = (y1 - above) * down + top, (y2 - above) * down + top
            box = max(xmin, left), max(ymin, top), min(xmax, right), min(ymax, bottom)
            if keeps_cut:
                stays = box[2] - box[0] >= 1 and box[3] - box[1] >= 1
            else:
                stays = left <= (xmin + xmax) / 2 < right and top <= (ymin + ymax) / 2 < bottom
            if stays:
                seen.append(box)
                kept.append(number)
        return np.array(seen, np.float64).reshape(-1, 4), np.array(kept, np.int64)


def place(height: int, width: int, frame: Frame, window: Region) -> Optional[Placement]:
    """The part of a picture that is seen in a window, where the whole picture has a place in the result.

    Args:
        height: height of the picture in pixels.
        width: its width in pixels.
        frame: the place of the whole picture in the result, which may be outside.
        window: the part of the result that shows the picture.

    Returns:
        The part and its place, in whole pixels; None where the window shows nothing of the picture.
    """
    across = _part(width, frame.left, frame.right, window.left, window.left + window.width)
    down = _part(height, frame.top, frame.bottom, window.top, window.top + window.height)
    if across is None or down is None:
        return None
    (left, columns, to_left, to_columns), (top, rows, to_top, to_rows) = across, down
    return Placement(Region(top, left, rows, columns), Region(to_top, to_left, to_rows, to_columns))


def _part(length: int, begin: float, end: float, low: int, high: int) -> Optional[Tuple[int, int, int, int]]:
    """First pixel and number of pixels of one side of the picture, and those of its place."""
    to_first, to_last = max(round(begin), low), min(round(end), high)
    if to_first >= to_last:
        return None
    scale = length / (end - begin)
    first = min(max(round((to_first - begin) * scale), 0), length - 1)
    last = min(max(round((to_last - begin) * scale), first + 1), length)
    return first, last - first, to_first, to_last - to_first

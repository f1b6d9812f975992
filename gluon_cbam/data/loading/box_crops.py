"""Random crops of SSD, which objects must overlap (Liu et al., ECCV 2016, section 2.2)."""

from __future__ import annotations

import math
from typing import NamedTuple, Tuple

import numpy as np

from gluon_cbam.data.resizing import Region

_SCALES = (0.3, 1.0)  # of the sides of a crop
_MAX_ASPECT = 2.0
_TRIES = 50
_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)  # least IoU of a crop with an object; 0 for any crop


class Canvas(NamedTuple):
    """A picture on a larger ground: size of the ground, and the place of the picture's first pixel."""

    height: int
    width: int
    top: int
    left: int


def random_crop(canvas: Canvas, picture: Region, corners: np.ndarray, rng: np.random.Generator) -> Region:
    """A random part of a canvas that objects must overlap.

    One of seven rules is chosen at random: the whole canvas, or a crop with 0.3 to 1 of both sides and an aspect ratio
    of 1/2 to 2 that has an IoU of at least 0.1, 0.3, 0.5, 0.7 or 0.9 with an object, or of any. A crop must have the
    center of an object, if there are objects, and show some of the picture. If 50 crops do not fulfill the rule,
    another one is chosen.

    Args:
        canvas: its height and width are used.
        picture: the place of the picture on the canvas.
        corners: (n, 4) boxes in pixels of the picture.
        rng: the random number generator.

    Returns:
        The part.
    """
    places, whole = _places_of(corners, picture), (picture.height, picture.width) == (canvas.height, canvas.width)
    largest = places.areas.max() / _smallest(canvas) if len(corners) else 0.0
    for rule in rng.permutation(1 + len(_OVERLAPS)).tolist():
        if rule == len(_OVERLAPS):
            break
        if _OVERLAPS[rule] > largest:  # the smallest crop is too large for such an overlap
            continue
        low, high = _random_crops(canvas, rng)
        fit = _fits(low, high, places, _OVERLAPS[rule]) if len(corners) else np.ones(_TRIES, bool)
        if not whole:
            fit &= _seen(low, high, picture)
        first = fit.argmax()
        if fit[first]:
            (left, top), (right, bottom) = low[:, first].tolist(), high[:, first].tolist()
            return Region(top, left, bottom - top, right - left)
    return Region(0, 0, canvas.height, canvas.width)


# The functions below have few operations: on small arrays, it is their number that takes the time.


def _smallest(canvas: Canvas) -> float:
    """A number of pixels that no crop of a canvas has less of, at least 1; sides are rounded down."""
    scale = _SCALES[0]
    exact = scale**2 * canvas.width * canvas.height
    return max(exact - scale * math.sqrt(_MAX_ASPECT) * (canvas.width + canvas.height), 1.0)


def _random_crops(canvas: Canvas, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Crops of a canvas: their left and top edges, (2, tries) int64, and their right and bottom edges."""
    draws = rng.random((4, _TRIES))
    scale = _SCALES[0] + (_SCALES[1] - _SCALES[0]) * draws[0]
    area = scale * scale
    narrowest, widest = np.maximum(1 / _MAX_ASPECT, area), np.minimum(_MAX_ASPECT, 1 / area)
    aspect = np.sqrt(narrowest + (widest - narrowest) * draws[1])
    sides, lengths = np.array([[canvas.width], [canvas.height]]), np.empty((2, _TRIES))
    np.multiply(scale, aspect, out=lengths[0])
    np.divide(scale, aspect, out=lengths[1])
    lengths *= sides
    whole = np.maximum(lengths, 1, out=lengths).astype(np.int64)
    low = (draws[2:] * (sides - whole + 1)).astype(np.int64)
    return low, low + whole


class _Places(NamedTuple):
    """The objects of a picture on a canvas: edges and centers, (2, 1, n), x before y; areas, (n,)."""

    low: np.ndarray
    high: np.ndarray
    centers: np.ndarray
    areas: np.ndarray


def _places_of(corners: np.ndarray, picture: Region) -> _Places:
    low, high = corners.T.reshape(2, 2, 1, len(corners)) + np.array([[[picture.left]], [[picture.top]]])
    (width,), (height,) = high - low
    return _Places(low, high, (low + high) / 2, width * height)


def _fits(low: np.ndarray, high: np.ndarray, places: _Places, overlap: float) -> np.ndarray:
    """Whether each crop has objects as a rule asks for: (tries,) bool."""
    low, high = low[:, :, None], high[:, :, None]
    inside = (low <= places.centers) & (places.centers < high)
    width, height = np.maximum(np.minimum(high, places.high) - np.maximum(low, places.low), 0)
    common, (across, down) = width * height, high - low
    enough = common >= overlap * (across * down + places.areas - common)
    return (inside[0] & inside[1]).any(axis=1) & enough.any(axis=1)


def _seen(low: np.ndarray, high: np.ndarray, picture: Region) -> np.ndarray:
    """Whether each crop shows some of the picture: (tries,) bool."""
    begin = np.array([[picture.left], [picture.top]])
    end = np.array([[picture.left + picture.width], [picture.top + picture.height]])
    across, down = (low < end) & (high > begin)
    return across & down

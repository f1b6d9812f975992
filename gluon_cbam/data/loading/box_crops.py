"""Random crops of SSD, which objects must overlap (Liu et al., ECCV 2016, section 2.2)."""

from __future__ import annotations

import math
from itertools import chain
from typing import Iterator, List, NamedTuple, Tuple

import numpy as np

from gluon_cbam.data.resizing import Region

_SCALES = (0.3, 1.0)  # of the sides of a crop
_MAX_ASPECT = 2.0
_TRIES = 50
_AT_ONCE = 5  # crops whose random numbers become those of Python together: all would take as long as the choice
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
    objects = _objects(corners, picture)
    smallest = _smallest(canvas)
    for rule in rng.permutation(1 + len(_OVERLAPS)).tolist():
        if rule == len(_OVERLAPS):
            break
        overlap = _OVERLAPS[rule]
        large = [each for each in objects if each.area / smallest >= overlap]
        if objects and not large:  # the smallest crop is too large for such an overlap
            continue
        largest = max(each.area for each in large) / overlap if large and overlap else math.inf
        for crop in _random_crops(canvas, largest, picture, rng):
            if not objects or (_overlaps(crop, large, overlap) and _centered(crop, objects)):
                left, top, right, bottom = crop
                return Region(top, left, bottom - top, right - left)
    return Region(0, 0, canvas.height, canvas.width)


# Most pictures have few objects, and take one of the first crops: operations of NumPy on all crops at once take longer.

_Crop = Tuple[int, int, int, int]  # left, top, right, bottom in pixels of the canvas


class _Object(NamedTuple):
    """An object in pixels of the canvas."""

    left: float
    top: float
    right: float
    bottom: float
    x: float
    y: float
    area: float


def _objects(corners: np.ndarray, picture: Region) -> List[_Object]:
    x, y = picture.left, picture.top
    return [
        _Object(
            left + x, top + y, right + x, bottom + y, (left + x + right + x) / 2, (top + y + bottom + y) / 2,
            (right - left) * (bottom - top),
        )
        for left, top, right, bottom in corners.tolist()
    ]  # fmt: skip


def _smallest(canvas: Canvas) -> float:
    """A number of pixels that no crop of a canvas has less of, at least 1."""
    scale = _SCALES[0]
    return max(scale * (scale * canvas.width * canvas.height - _rim(canvas)), 1.0)


def _rim(canvas: Canvas) -> float:
    """How many pixels, over its scale, a crop loses at most as its sides are rounded down."""
    return math.sqrt(_MAX_ASPECT) * (canvas.width + canvas.height)


def _random_crops(canvas: Canvas, largest: float, picture: Region, rng: np.random.Generator) -> Iterator[_Crop]:
    """Crops of a canvas that show some of a picture, without some of those with more pixels than a given number."""
    least, most = _SCALES
    pixels, rim = canvas.width * canvas.height, _rim(canvas)
    picture_right, picture_bottom = picture.left + picture.width, picture.top + picture.height
    drawn = rng.random((4, _TRIES)).T
    few = (drawn[first : first + _AT_ONCE].tolist() for first in range(0, _TRIES, _AT_ONCE))
    for of_scale, of_aspect, of_left, of_top in chain.from_iterable(few):
        scale = least + (most - least) * of_scale
        if scale * (scale * pixels - rim) > largest:
            continue
        area = scale * scale
        narrowest, widest = max(1 / _MAX_ASPECT, area), min(_MAX_ASPECT, 1 / area)
        aspect = math.sqrt(narrowest + (widest - narrowest) * of_aspect)
        width = int(max(scale * aspect * canvas.width, 1))
        height = int(max(scale / aspect * canvas.height, 1))
        left, top = int(of_left * (canvas.width - width + 1)), int(of_top * (canvas.height - height + 1))
        right, bottom = left + width, top + height
        if left < picture_right and right > picture.left and top < picture_bottom and bottom > picture.top:
            yield left, top, right, bottom


def _overlaps(crop: _Crop, objects: List[_Object], overlap: float) -> bool:
    """Whether a crop has at least an IoU with an object."""
    left, top, right, bottom = crop
    pixels = (right - left) * (bottom - top)
    for x1, y1, x2, y2, _, _, area in objects:
        across = (x2 if x2 < right else right) - (x1 if x1 > left else left)
        down = (y2 if y2 < bottom else bottom) - (y1 if y1 > top else top)
        common = across * down if across > 0 and down > 0 else 0
        if common >= overlap * (pixels + area - common):
            return True
    return False


def _centered(crop: _Crop, objects: List[_Object]) -> bool:
    """Whether a crop has the center of an object."""
    left, top, right, bottom = crop
    return any(left <= each.x < right and top <= each.y < bottom for each in objects)

"""Random crops of SSD, which objects must overlap (Liu et al., ECCV 2016, section 2.2)."""

from __future__ import annotations

import math
from typing import Iterator, List, NamedTuple

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
        for crop in _random_crops(canvas, largest, rng):
            if _shown(crop, picture) and _holds(crop, objects, large, overlap):
                return crop
    return Region(0, 0, canvas.height, canvas.width)


# Most pictures have few objects, and take one of the first crops: operations of NumPy on all crops at once take longer.


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
    placed = (corners + np.array([picture.left, picture.top] * 2)).tolist()
    return [
        _Object(left, top, right, bottom, (left + right) / 2, (top + bottom) / 2, (right - left) * (bottom - top))
        for left, top, right, bottom in placed
    ]


def _smallest(canvas: Canvas) -> float:
    """A number of pixels that no crop of a canvas has less of, at least 1."""
    scale = _SCALES[0]
    return max(scale * (scale * canvas.width * canvas.height - _rim(canvas)), 1.0)


def _rim(canvas: Canvas) -> float:
    """How many pixels, over its scale, a crop loses at most as its sides are rounded down."""
    return math.sqrt(_MAX_ASPECT) * (canvas.width + canvas.height)


def _random_crops(canvas: Canvas, largest: float, rng: np.random.Generator) -> Iterator[Region]:
    """Crops of a canvas, without some of those with more pixels than a given number."""
    least, most = _SCALES
    pixels, rim = canvas.width * canvas.height, _rim(canvas)
    for of_scale, of_aspect, of_left, of_top in rng.random((4, _TRIES)).T.tolist():
        scale = least + (most - least) * of_scale
        if scale * (scale * pixels - rim) > largest:
            continue
        area = scale * scale
        narrowest, widest = max(1 / _MAX_ASPECT, area), min(_MAX_ASPECT, 1 / area)
        aspect = math.sqrt(narrowest + (widest - narrowest) * of_aspect)
        width = int(max(scale * aspect * canvas.width, 1))
        height = int(max(scale / aspect * canvas.height, 1))
        left, top = int(of_left * (canvas.width - width + 1)), int(of_top * (canvas.height - height + 1))
        yield Region(top, left, height, width)


def _shown(crop: Region, picture: Region) -> bool:
    """Whether a crop shows some of the picture."""
    return (
        crop.left < picture.left + picture.width
        and crop.left + crop.width > picture.left
        and crop.top < picture.top + picture.height
        and crop.top + crop.height > picture.top
    )


def _holds(crop: Region, objects: List[_Object], large: List[_Object], overlap: float) -> bool:
    """Whether a crop has the center of an object, and with a large one an IoU as a rule asks for; or there is none."""
    return not objects or (_overlaps(crop, large, overlap) and _centered(crop, objects))


def _overlaps(crop: Region, objects: List[_Object], overlap: float) -> bool:
    top, left, height, width = crop
    right, bottom, pixels = left + width, top + height, height * width
    for each in objects:
        across, down = min(right, each.right) - max(left, each.left), min(bottom, each.bottom) - max(top, each.top)
        common = max(across, 0) * max(down, 0)
        if common >= overlap * (pixels + each.area - common):
            return True
    return False


def _centered(crop: Region, objects: List[_Object]) -> bool:
    top, left, height, width = crop
    right, bottom = left + width, top + height
    return any(left <= each.x < right and top <= each.y < bottom for each in objects)

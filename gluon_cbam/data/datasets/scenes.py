"""Synthetic images with a mask: one object of a known class among distractors that belong to no class.

An outline is a function of points in the unit disc. Outlines are rotated, scaled, moved and painted with a pattern of
two colors. Colors, patterns, sizes and places are drawn from the same distributions for every class and for the
distractors: only the outline distinguishes them. The shapes are bright and colored, the background is dark and nearly
gray.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, NamedTuple, Tuple

import cv2
import numpy as np

_RADII = (0.17, 0.28)  # range of the radius of a shape, relative to the size of the image
_DISTRACTORS = (2, 4)  # range of the number of distractors, the upper end excluded
_MAX_ANGLE = math.pi / 6  # of a rotation, either way
_SAMPLES = 3  # for antialiasing, along each side of a pixel
_BRIGHT = (110, 250)  # range of R, G and B of a shape
_VIVID = 70  # least distance between R, G and B of a shape's first color
_CONTRAST = 150  # least distance of a shape's colors from the pixels below it, summed over R, G, B
_SHADE = (20, 40)  # distance of the second color of a pattern from the first
_OCTAVES = ((4, 20), (8, 20), (16, 20))  # of the background: cells along a side, amplitude
_DARK = (60, 100)  # mean of the background
_TINT = 0.3  # relative amplitude of the differences between R, G and B
_STROKES = 8


def _polygon(x: np.ndarray, y: np.ndarray, corners: int) -> np.ndarray:
    """A regular polygon with corners on the unit circle, one of them on the x axis."""
    wedge = 2 * math.pi / corners
    folded = np.mod(np.arctan2(y, x), wedge) - wedge / 2
    return np.hypot(x, y) * np.cos(folded) <= math.cos(wedge / 2)


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A star with five points on the unit circle, and the corners between them at radius 0.42."""
    wedge = math.pi / 5
    folded = np.abs(np.mod(np.arctan2(y, x) + wedge, 2 * wedge) - wedge)
    along, across = np.hypot(x, y) * np.cos(folded), np.hypot(x, y) * np.sin(folded)
    return across * (1 - 0.42 * math.cos(wedge)) <= 0.42 * math.sin(wedge) * (1 - along)


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = 1.35 * x, 0.1 - 1.35 * y
    return (x * x + y * y - 1) ** 3 <= x * x * y**3


def _box(x: np.ndarray, y: np.ndarray, width: float, height: float) -> np.ndarray:
    return (np.abs(x) <= width) & (np.abs(y) <= height)


Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]

CLASSES: Dict[str, Outline] = {
    'disc': lambda x, y: np.hypot(x, y) <= 0.9,
    'ring': lambda x, y: np.abs(np.hypot(x, y) - 0.75) <= 0.25,
    'triangle': lambda x, y: _polygon(x, y, 3),
    'square': lambda x, y: _polygon(x, y, 4),
    'cross': lambda x, y: _box(x, y, 0.95, 0.28) | _box(x, y, 0.28, 0.95),
    'star': _star,
    'heart': _heart,
    'hourglass': lambda x, y: (np.abs(y) <= 0.8) & (np.abs(x) <= 0.1 + 0.6 * np.abs(y)),
}
"""Class -> its outline: which points (x, y), with y downwards, are inside; all are within the unit disc."""

DISTRACTORS: Dict[str, Outline] = {
    'half disc': lambda x, y: (np.hypot(x, y) <= 0.95) & (y >= 0.1),
    'arc': lambda x, y: (np.abs(np.hypot(x, y) - 0.75) <= 0.25) & (np.abs(x) <= 1.8 * y),
    'bar': lambda x, y: _box(x, y, 0.97, 0.2),
    'corner': lambda x, y: _box(x - 0.2, y, 0.6, 0.28) & (x >= -0.28) | _box(x, y - 0.2, 0.28, 0.6) & (y >= -0.28),
    'tee': lambda x, y: _box(x, y + 0.3, 0.8, 0.25) | _box(x, y - 0.2, 0.25, 0.7),
    'crescent': lambda x, y: (np.hypot(x, y) <= 0.97) & (np.hypot(x - 0.45, y) >= 0.75),
    'ellipse': lambda x, y: np.hypot(x, 2.4 * y) <= 0.97,
}
"""Parts of the classes, and other shapes that belong to no class."""

# pattern -> which points of the plane, in units of the pattern, have the second color
_PATTERNS: Dict[str, Outline] = {
    'plain': lambda u, v: np.zeros(u.shape, bool),
    'stripes': lambda u, v: np.mod(u, 2) < 1,
    'checks': lambda u, v: (np.mod(u, 2) < 1) ^ (np.mod(v, 2) < 1),
    'dots': lambda u, v: np.hypot(np.mod(u, 2) - 1, np.mod(v, 2) - 1) < 0.6,
}


class Scene(NamedTuple):
    """An image and its annotation.

    Attributes:
        image: (size, size, 3) uint8, RGB.
        mask: (size, size) bool: the pixels that the object covers by at least half.
        behind: (size, size, 3) uint8, RGB: the same image without the object.
    """

    image: np.ndarray
    mask: np.ndarray
    behind: np.ndarray


def draw_scene(name: str, size: int, random: np.random.RandomState) -> Scene:
    """Draw a textured background, some distractors, and one object over all of them, completely inside the image.

    Args:
        name: name of the class, a key of :data:`CLASSES`.
        size: height and width in pixels.
        random: the random number generator.

    Returns:
        The image, the mask of the object, and the image without the object.
    """
    canvas = background(size, random)
    for _ in range(random.randint(*_DISTRACTORS)):
        put_shape(canvas, choose(DISTRACTORS, random), random)
    behind = canvas.copy()
    cover = put_shape(canvas, CLASSES[name], random)
    return Scene(rounded(canvas), cover >= 0.5, rounded(behind))


def _grayish(shape: Tuple[int, ...], amplitude: float, random: np.random.RandomState) -> np.ndarray:
    """Random values around 0 with nearly equal R, G and B: (*shape, 3)."""
    gray, tint = random.uniform(-1, 1, (*shape, 1)), random.uniform(-1, 1, (*shape, 3))
    return amplitude * (gray + _TINT * tint)


def background(size: int, random: np.random.RandomState) -> np.ndarray:
    """Noise of several scales with strokes, nearly gray.

    Args:
        size: height and width in pixels.
        random: the random number generator.

    Returns:
        (size, size, 3) float32, to paint on with :func:`put_shape`.
    """
    canvas = np.zeros((size, size, 3), np.float32)
    for cells, amplitude in _OCTAVES:
        noise = _grayish((cells, cells), amplitude, random).astype(np.float32)
        canvas += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    canvas += random.uniform(*_DARK)
    for _ in range(_STROKES):
        ends = random.randint(0, size, (2, 2)).tolist()
        cv2.line(canvas, ends[0], ends[1], (90 + _grayish((), 60, random)).tolist(), int(random.randint(1, 3)))
    return canvas


def choose(table: Dict[str, Outline], random: np.random.RandomState) -> Outline:
    """An outline of a table at random."""
    return list(table.values())[random.randint(len(table))]


def rounded(canvas: np.ndarray) -> np.ndarray:
    """A canvas as an image: uint8."""
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def put_shape(
    canvas: np.ndarray, outline: Outline, random: np.random.RandomState, radii: Tuple[float, float] = _RADII
) -> np.ndarray:
    """Paint a shape at a random place, completely inside the canvas.

    Args:
        canvas: (size, size, 3) float32, which is changed.
        outline: the shape.
        random: the random number generator.
        radii: range of the radius of the shape, relative to the size.

    Returns:
        The coverage of each pixel: (size, size), in 0..1.
    """
    size = len(canvas)
    radius = size * random.uniform(*radii)
    center = random.uniform(radius, size - radius, 2)
    angle = random.uniform(-_MAX_ANGLE, _MAX_ANGLE)
    low = np.floor(center - radius).astype(int).clip(0)
    high = np.ceil(center + radius).astype(int).clip(None, size)
    steps = [low[axis] + (np.arange((high[axis] - low[axis]) * _SAMPLES) + 0.5) / _SAMPLES for axis in (0, 1)]
    down, right = np.meshgrid(*((step - middle) / radius for step, middle in zip(steps, center)), indexing='ij')
    x = math.cos(angle) * right + math.sin(angle) * down
    y = math.cos(angle) * down - math.sin(angle) * right
    inside = outline(x, y)
    shape = (high[0] - low[0], _SAMPLES, high[1] - low[1], _SAMPLES)
    share = inside.reshape(shape).mean(axis=(1, 3))  # (h, w)
    part = canvas[low[0] : high[0], low[1] : high[1]]
    first, second = _colors((part * share[..., None]).sum(axis=(0, 1)) / share.sum(), random)
    unit = random.uniform(2, 4) / radius  # a pattern's stripe is 2 to 4 pixels wide
    marked = choose(_PATTERNS, random)(x / unit, y / unit) & inside
    marks = marked.reshape(shape).mean(axis=(1, 3))[..., None]  # (h, w, 1)
    part += (first - part) * (share[..., None] - marks) + (second - part) * marks
    cover = np.zeros((size, size))
    cover[low[0] : high[0], low[1] : high[1]] = share
    return cover


def _colors(below: np.ndarray, random: np.random.RandomState) -> Tuple[np.ndarray, np.ndarray]:
    """Two colors for a pattern, both far from the mean color of the pixels that they cover."""
    while True:
        first = random.uniform(*_BRIGHT, 3)
        second = np.clip(first + random.choice((-1, 1)) * random.uniform(*_SHADE), 0, 255)
        far = min(np.abs(first - below).sum(), np.abs(second - below).sum()) >= _CONTRAST
        if far and np.ptp(first) >= _VIVID:
            return first, second

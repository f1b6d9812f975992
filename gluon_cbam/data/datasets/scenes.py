"""Pictures of one object of a known class among others of no class, drawn, so that the object's mask is known.

Outlines are functions of a point in the unit disc; they are turned, scaled, moved and painted with two colours in a
pattern. Colours, patterns, sizes and places are drawn from the same distributions for every class and for what belongs
to none: only the outline tells them apart. The forms are bright and coloured, the background is dim and nearly grey.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, NamedTuple

import cv2
import numpy as np

_RADII = (0.17, 0.28)  # of a form, as shares of the image's side
_OTHERS = (2, 4)  # forms of no class: at least, and one more than at most
_TURN = math.pi / 6  # at most, either way
_SAMPLES = 3  # a pixel's side, for smooth edges
_BRIGHT = (110, 250)  # R, G, B of a form
_VIVID = 70  # least distance between R, G and B of a form's first colour
_CONTRAST = 150  # least distance of a form's colours from what lies below it, summed over R, G, B
_SHADE = (20, 40)  # distance of the second colour of a pattern from the first
_OCTAVES = ((4, 20), (8, 20), (16, 20))  # of the background: cells a side, amplitude
_DIM = (60, 100)  # mean of the background
_TINT = 0.3  # share of that amplitude by which R, G and B differ
_STROKES = 8


def _polygon(x, y, corners: int):
    """A regular polygon with corners on the unit circle, one of them on the x axis."""
    wedge = 2 * math.pi / corners
    folded = np.mod(np.arctan2(y, x), wedge) - wedge / 2
    return np.hypot(x, y) * np.cos(folded) <= math.cos(wedge / 2)


def _star(x, y):
    """Five points on the unit circle, the corners between them at 0.42."""
    wedge = math.pi / 5
    folded = np.abs(np.mod(np.arctan2(y, x) + wedge, 2 * wedge) - wedge)
    along, across = np.hypot(x, y) * np.cos(folded), np.hypot(x, y) * np.sin(folded)
    return across * (1 - 0.42 * math.cos(wedge)) <= 0.42 * math.sin(wedge) * (1 - along)


def _heart(x, y):
    x, y = 1.35 * x, 0.1 - 1.35 * y
    return (x * x + y * y - 1) ** 3 <= x * x * y**3


def _box(x, y, width, height):
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
"""Class -> whether a point (x, y), y down, lies in it; all lie in the unit disc."""

OTHERS: Dict[str, Outline] = {
    'half disc': lambda x, y: (np.hypot(x, y) <= 0.95) & (y >= 0.1),
    'arc': lambda x, y: (np.abs(np.hypot(x, y) - 0.75) <= 0.25) & (np.abs(x) <= 1.8 * y),
    'bar': lambda x, y: _box(x, y, 0.97, 0.2),
    'corner': lambda x, y: _box(x - 0.2, y, 0.6, 0.28) & (x >= -0.28) | _box(x, y - 0.2, 0.28, 0.6) & (y >= -0.28),
    'tee': lambda x, y: _box(x, y + 0.3, 0.8, 0.25) | _box(x, y - 0.2, 0.25, 0.7),
    'crescent': lambda x, y: (np.hypot(x, y) <= 0.97) & (np.hypot(x - 0.45, y) >= 0.75),
    'ellipse': lambda x, y: np.hypot(x, 2.4 * y) <= 0.97,
}
"""Pieces of the classes and other forms that belong to none."""

# pattern -> which points of the plane, in units of the pattern, have the second colour
_PATTERNS: Dict[str, Outline] = {
    'plain': lambda u, v: np.zeros(u.shape, bool),
    'stripes': lambda u, v: np.mod(u, 2) < 1,
    'checks': lambda u, v: (np.mod(u, 2) < 1) ^ (np.mod(v, 2) < 1),
    'dots': lambda u, v: np.hypot(np.mod(u, 2) - 1, np.mod(v, 2) - 1) < 0.6,
}


class Scene(NamedTuple):
    """A picture and what is known of it.

    Attributes:
        image: (size, size, 3) uint8, RGB.
        mask: (size, size) bool: pixels of which the object covers at least half.
        behind: (size, size, 3) uint8: the same picture without the object.
    """

    image: np.ndarray
    mask: np.ndarray
    behind: np.ndarray


def draw_scene(name: str, size: int, random: np.random.RandomState) -> Scene:
    """Draw a textured background, some forms of no class, and one object, whole, over all of them.

    Args:
        name: of the class, a key of :data:`CLASSES`.
        size: height and width in pixels.
        random: where everything else comes from.
    """
    canvas = _background(size, random)
    for _ in range(random.randint(*_OTHERS)):
        _put(canvas, _chosen(OTHERS, random), random)
    behind = canvas.copy()
    cover = _put(canvas, CLASSES[name], random)
    return Scene(_rounded(canvas), cover >= 0.5, _rounded(behind))


def _rounded(canvas: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _chosen(table: dict, random):
    return list(table.values())[random.randint(len(table))]


def _background(size: int, random) -> np.ndarray:
    """Noise of several scales with strokes, nearly grey: (size, size, 3) float32."""
    canvas = np.zeros((size, size, 3), np.float32)
    for cells, amplitude in _OCTAVES:
        noise = _greyish((cells, cells), amplitude, random).astype(np.float32)
        canvas += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    canvas += random.uniform(*_DIM)
    for _ in range(_STROKES):
        ends = random.randint(0, size, (2, 2)).tolist()
        cv2.line(canvas, ends[0], ends[1], (90 + _greyish((), 60, random)).tolist(), int(random.randint(1, 3)))
    return canvas


def _greyish(shape, amplitude: float, random) -> np.ndarray:
    """(*shape, 3): around 0, R, G and B nearly the same."""
    grey, tint = random.uniform(-1, 1, (*shape, 1)), random.uniform(-1, 1, (*shape, 3))
    return amplitude * (grey + _TINT * tint)


def _put(canvas: np.ndarray, outline: Outline, random) -> np.ndarray:
    """Paint a form somewhere on the canvas, whole; returns how much of each pixel it covers, in 0..1."""
    size = len(canvas)
    radius = size * random.uniform(*_RADII)
    centre = random.uniform(radius, size - radius, 2)
    angle = random.uniform(-_TURN, _TURN)
    low = np.floor(centre - radius).astype(int).clip(0)
    high = np.ceil(centre + radius).astype(int).clip(None, size)
    steps = [low[axis] + (np.arange((high[axis] - low[axis]) * _SAMPLES) + 0.5) / _SAMPLES for axis in (0, 1)]
    down, right = np.meshgrid(*((step - middle) / radius for step, middle in zip(steps, centre)), indexing='ij')
    x = math.cos(angle) * right + math.sin(angle) * down
    y = math.cos(angle) * down - math.sin(angle) * right
    inside = outline(x, y)
    shape = (high[0] - low[0], _SAMPLES, high[1] - low[1], _SAMPLES)
    share = inside.reshape(shape).mean(axis=(1, 3))  # (h, w)
    part = canvas[low[0] : high[0], low[1] : high[1]]
    first, second = _colours((part * share[..., None]).sum(axis=(0, 1)) / share.sum(), random)
    unit = random.uniform(2, 4) / radius  # a pattern's stripe is 2 to 4 pixels wide
    marked = _chosen(_PATTERNS, random)(x / unit, y / unit) & inside
    marks = marked.reshape(shape).mean(axis=(1, 3))[..., None]  # (h, w, 1)
    part += (first - part) * (share[..., None] - marks) + (second - part) * marks
    cover = np.zeros((size, size))
    cover[low[0] : high[0], low[1] : high[1]] = share
    return cover


def _colours(below: np.ndarray, random):
    """Two colours for a pattern, both far from the mean colour that they will cover."""
    while True:
        first = random.uniform(*_BRIGHT, 3)
        second = np.clip(first + random.choice((-1, 1)) * random.uniform(*_SHADE), 0, 255)
        far = min(np.abs(first - below).sum(), np.abs(second - below).sum()) >= _CONTRAST
        if far and np.ptp(first) >= _VIVID:
            return first, second

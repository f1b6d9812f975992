"""Steps that hide a part of an image: random erasing, and Cutout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.data.loading.draws import happens, uniform, up_to
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .fill import mean_color, normal_colors

_AREA = (0.02, 1 / 3)  # range of the area of a box, relative to the image
_LOG_ASPECT = (math.log(0.3), math.log(1 / 0.3))
_TRIES = 10
MOST_BOXES = 100
"""Boxes of an image, each of which takes time."""

_Colors = Callable[[np.ndarray, Preprocessing, Tuple[int, int], np.random.Generator], np.ndarray]


def _constant(
    pixels: np.ndarray, preprocessing: Preprocessing, shape: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    return mean_color(pixels, preprocessing)


def _one_color(
    pixels: np.ndarray, preprocessing: Preprocessing, shape: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    return normal_colors(pixels, preprocessing, (), rng)


def _color_of_each_pixel(
    pixels: np.ndarray, preprocessing: Preprocessing, shape: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    return normal_colors(pixels, preprocessing, shape, rng)


ERASING_MODES: Dict[str, _Colors] = {
    # the mean color
    'const': _constant,
    # a random color of the box
    'rand': _one_color,
    # a random color of each pixel
    'pixel': _color_of_each_pixel,
}
"""Name of timm's ``--remode`` -> the colors of a box; random ones are standard normal after normalization."""


@dataclass(frozen=True)
class RandomErasing:
    """Fill a random box (Zhong et al., "Random Erasing Data Augmentation", AAAI 2020), as timm's ``RandomErasing``.

    The box has 2 to 33 % of the area of the image and an aspect ratio of 0.3 to 1 / 0.3, log-uniform as in timm; the
    paper draws the aspect ratio itself uniformly. Boxes are drawn ten times until one fits; if none does, nothing is
    erased. timm fills after normalization; here the colors are those that normalization turns into the same numbers,
    rounded to 8 bits and limited to 0..255, which changes 3 % of the numbers of ImageNet's normalization.

    Attributes:
        probability: share of the images with boxes, in 0..1.
        mode: a key of :data:`ERASING_MODES`; default ``const``.
        count: number of boxes, at most :data:`MOST_BOXES`, which share the area and may overlap; default 1.

    Raises:
        UsageError: a value is out of bounds, or the mode is unknown.
    """

    probability: float
    mode: str = 'const'
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UsageError(f'the probability of random erasing, reprob, must be in 0..1, got {self.probability!r}')
        if self.mode not in ERASING_MODES:
            raise UsageError(f'unknown mode of random erasing {self.mode!r}: {closest(self.mode, ERASING_MODES)}')
        if not 1 <= self.count <= MOST_BOXES:
            raise UsageError(f'the boxes of random erasing, recount, must be in 1..{MOST_BOXES}, got {self.count!r}')

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Fill the boxes, in some images."""
        if not happens(rng, self.probability):
            return pixels
        pixels, colors = pixels.copy(), ERASING_MODES[self.mode]
        for _ in range(self.count):
            box = _box(pixels.shape[0], pixels.shape[1], self.count, rng)
            if box is not None:
                top, left, height, width = box
                filled = colors(pixels, preprocessing, (height, width), rng)
                pixels[top : top + height, left : left + width] = filled
        return pixels


def _box(height: int, width: int, count: int, rng: np.random.Generator) -> Optional[Tuple[int, int, int, int]]:
    """Top, left, height and width of a box that is smaller than the image; None if ten do not fit."""
    for _ in range(_TRIES):
        area = height * width * uniform(rng, *_AREA) / count
        aspect = math.exp(uniform(rng, *_LOG_ASPECT))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if h < height and w < width:
            return up_to(rng, height - h), up_to(rng, width - w), h, w
    return None


@dataclass(frozen=True)
class Cutout:
    """Fill a square around a random pixel, clipped at the border (DeVries and Taylor, arXiv:1708.04552, 2017).

    Attributes:
        length: side of the square in pixels; of an odd one, the even part.
        probability: share of the images with a square; default 1.
        color: value of the square in 0..255; default the mean color, which is zero after normalization.

    Raises:
        UsageError: the length is negative.
    """

    length: int
    probability: float = 1.0
    color: Optional[int] = None

    def __post_init__(self) -> None:
        if self.length < 0:
            raise UsageError(f'the side of a square that is cut out must be at least 0 pixels, got {self.length}')

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Fill the square, in some images."""
        if not happens(rng, self.probability):
            return pixels
        pixels, half = pixels.copy(), self.length // 2
        row, column = (up_to(rng, size - 1) for size in pixels.shape[:2])
        color = mean_color(pixels, preprocessing) if self.color is None else self.color
        pixels[max(0, row - half) : row + half, max(0, column - half) : column + half] = color
        return pixels

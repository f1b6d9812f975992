"""The distortion of colors of SSD."""

from __future__ import annotations

import math
from typing import Tuple

import cv2
import numpy as np

from .draws import happens, uniform

_BRIGHTNESS = 32.0  # of 255
_CONTRAST = _SATURATION = (0.5, 1.5)
_HUE = math.radians(18)
_LUMA = np.array([0.299, 0.587, 0.114])
_YIQ = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # of NTSC
_RGB = np.linalg.inv(_YIQ)


def distort(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Distort brightness, contrast, saturation and hue, each in half of the cases.

    The steps and their order are GluonCV's ``random_color_distort``: brightness by up to 32, then contrast, saturation
    and hue, or saturation, hue and contrast. Hue is turned by up to 18 degrees, as in torchvision; GluonCV's factor of
    pi instead of pi / 180 turns it by any angle. All steps are one affine map of the colors, limited to 0..255 once.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        rng: the random number generator.

    Returns:
        (H, W, 3) uint8 RGB; ``pixels`` itself where nothing happens.
    """
    matrix, shift = color_map(rng)
    if np.array_equal(matrix, np.eye(3)) and not shift.any():
        return pixels
    return cv2.transform(pixels, np.column_stack([matrix, shift]))


def color_map(rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Draw a distortion.

    Args:
        rng: the random number generator.

    Returns:
        The matrix (3, 3) and the summand (3,) of the affine map.
    """
    shift = np.full(3, uniform(rng, -_BRIGHTNESS, _BRIGHTNESS)) if happens(rng) else np.zeros(3)
    contrast_first = happens(rng)
    contrast = (uniform(rng, *_CONTRAST) if happens(rng) else 1.0) * np.eye(3)
    matrix = _hue(rng) @ _saturation(rng)
    matrix = matrix @ contrast if contrast_first else contrast @ matrix
    return matrix, matrix @ shift


def _saturation(rng: np.random.Generator) -> np.ndarray:
    if not happens(rng):
        return np.eye(3)
    factor = uniform(rng, *_SATURATION)
    return factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1))


def _hue(rng: np.random.Generator) -> np.ndarray:
    if not happens(rng):
        return np.eye(3)
    angle = uniform(rng, -_HUE, _HUE)
    turn = np.eye(3)
    turn[1:, 1:] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return _RGB @ turn @ _YIQ

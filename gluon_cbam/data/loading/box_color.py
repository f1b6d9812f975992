"""The distortion of colors of SSD."""

from __future__ import annotations

import math
from typing import Callable, List, Optional, Tuple

import cv2
import numpy as np

from .draws import happens, uniform
from .policies.enhancement import LUMA

_BRIGHTNESS = 32.0  # of 255
_CONTRAST = _SATURATION = (0.5, 1.5)
_HUE = math.radians(18)
_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # of NTSC
_RGB = np.linalg.inv(_YIQ)
_GRAY = np.tile(LUMA, (3, 1))  # from a color to its gray
# a turn of the hue by an angle is: gray, plus its cosine times the first matrix, plus its sine times the second
_CHROMA = np.outer(_RGB[:, 1], _YIQ[1]) + np.outer(_RGB[:, 2], _YIQ[2])
_TURNED = np.outer(_RGB[:, 2], _YIQ[1]) - np.outer(_RGB[:, 1], _YIQ[2])
# numbers of Python, which take less time for nine of them than arrays do
_TERMS: List[List[Tuple[float, float, float]]] = np.stack([_GRAY, _CHROMA, _TURNED], axis=-1).tolist()


def distortion(rng: np.random.Generator) -> Optional[Callable[[np.ndarray], np.ndarray]]:
    """Draw a distortion of brightness, contrast, saturation and hue, each in half of the cases.

    The steps are those of GluonCV's ``random_color_distort``: brightness by up to 32, then contrast, saturation and
    hue. Hue is turned by up to 18 degrees, as in torchvision; GluonCV's factor of pi instead of pi / 180 turns it by
    any angle. All steps are one affine map of the colors, limited to 0..255 once. GluonCV has contrast last in half of
    the cases, which makes no difference to such a map.

    Args:
        rng: the random number generator.

    Returns:
        From (H, W, 3) uint8 RGB to the same; None where nothing happens.
    """
    colors = color_map(rng)
    return None if colors is None else lambda pixels: cv2.transform(pixels, colors)


def color_map(rng: np.random.Generator) -> Optional[np.ndarray]:
    """Draw a distortion.

    Args:
        rng: the random number generator.

    Returns:
        The affine map, a matrix and a summand: (3, 4). None where nothing happens.
    """
    brightness = uniform(rng, -_BRIGHTNESS, _BRIGHTNESS) if happens(rng) else 0.0
    contrast = uniform(rng, *_CONTRAST) if happens(rng) else 1.0
    angle = uniform(rng, -_HUE, _HUE) if happens(rng) else 0.0
    saturation = uniform(rng, *_SATURATION) if happens(rng) else 1.0
    if (brightness, contrast, angle, saturation) == (0.0, 1.0, 0.0, 1.0):
        return None
    kept, turned = contrast * saturation * math.cos(angle), contrast * saturation * math.sin(angle)
    added = contrast * brightness  # the same in all channels, as gray stays gray
    return np.array([
        [*(contrast * of_gray + kept * of_chroma + turned * of_turned for of_gray, of_chroma, of_turned in row), added]
        for row in _TERMS
    ])  # fmt: skip

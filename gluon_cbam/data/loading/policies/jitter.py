"""Random colors and random rotation."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Callable, Dict

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.draws import uniform
from gluon_cbam.data.loading.preprocessing import Preprocessing

from . import enhancement
from .affine import rotate
from .fill import mean_color

_HUES = 256  # of OpenCV's 8-bit HSV


def turn_hue(pixels: np.ndarray, turn: float) -> np.ndarray:
    """Turn the hue, in 8-bit HSV as torchvision and Pillow do; an image that is gray stays.

    Args:
        pixels: (H, W, C) uint8 RGB or gray.
        turn: part of a full turn, in -0.5 .. 0.5.

    Returns:
        An image of the same kind.
    """
    if pixels.shape[2] == 1:
        return pixels
    colors = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL)
    colors[..., 0] += np.uint8(round(turn * _HUES) % _HUES)  # modulo 256
    return cv2.cvtColor(colors, cv2.COLOR_HSV2RGB_FULL)


_ADJUSTMENTS: Dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'brightness': enhancement.brightness,
    'contrast': enhancement.contrast,
    'saturation': enhancement.color,
    'hue': turn_hue,
}


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue in random order, as torchvision's ``ColorJitter``.

    Attributes:
        brightness: factors are uniform in 1 - brightness .. 1 + brightness; in 0..1.
        contrast: the same of the contrast.
        saturation: the same of the saturation.
        hue: turns are uniform in -hue .. hue, as parts of a full turn; in 0..0.5. Default 0.

    Raises:
        UsageError: a value is out of bounds.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name, value in zip(_ADJUSTMENTS, astuple(self)):
            largest = 0.5 if name == 'hue' else 1
            if not 0 <= value <= largest:
                raise UsageError(f'{name} of the color jitter must be in 0..{largest}, got {value:g}')

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Change the colors."""
        adjustments = list(zip(_ADJUSTMENTS.items(), astuple(self)))
        for index in rng.permutation(len(adjustments)):
            (name, adjust), width = adjustments[index]
            if width:
                pixels = adjust(pixels, uniform(rng, -width, width) + (name != 'hue'))
        return pixels


@dataclass(frozen=True)
class RandomRotation:
    """Rotate around the center by a uniform angle; corners have the mean color.

    Attributes:
        degrees: the largest angle, in either direction; in 0..180.

    Raises:
        UsageError: the angle is out of bounds.
    """

    degrees: float

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise UsageError(f'the largest angle of a rotation must be in 0..180 degrees, got {self.degrees:g}')

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Rotate the image."""
        return rotate(pixels, uniform(rng, -self.degrees, self.degrees), mean_color(pixels, preprocessing))

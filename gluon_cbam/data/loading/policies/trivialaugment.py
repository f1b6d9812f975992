"""TrivialAugment (Müller and Hutter, ICCV 2021) with the "wide" ranges, as torchvision's ``TrivialAugmentWide``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gluon_cbam.data.loading.draws import happens, up_to
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .operations import choices, none, signed

_STEPS = 30  # between the 31 strengths


def _bits(strength: float, sign: int) -> float:
    return 8 - round(6 * strength)


def _threshold(strength: float, sign: int) -> float:
    return 255 * (1 - strength)


def _pixels(strength: float, sign: int) -> float:
    return sign * int(32 * strength)


def _factor(strength: float, sign: int) -> float:
    return 1 + sign * 0.99 * strength


CHOICES = choices({
    'identity': none,
    'shear_x': signed(0.99),
    'shear_y': signed(0.99),
    'translate_x': _pixels,
    'translate_y': _pixels,
    'rotate': signed(135),
    'brightness': _factor,
    'color': _factor,
    'contrast': _factor,
    'sharpness': _factor,
    'posterize': _bits,
    'solarize': _threshold,
    'autocontrast': none,
    'equalize': none,
})  # fmt: skip
"""The operations and their ranges."""


@dataclass(frozen=True)
class TrivialAugment:
    """Apply one operation to each image, at one of 31 strengths; both are uniform."""

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Apply the operation."""
        choice, strength = CHOICES[up_to(rng, len(CHOICES) - 1)], up_to(rng, _STEPS) / _STEPS
        return choice(pixels, preprocessing, strength, 1 if happens(rng) else -1)

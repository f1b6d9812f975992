"""RandAugment (Cubuk et al., "RandAugment: Practical automated data augmentation", NeurIPS 2020), as timm has it.

What differs from the paper is timm's: each operation is applied with a probability of a half, the magnitude may vary
from image to image, and "increasing" ranges exist, in which a larger magnitude always changes an image more. timm
chooses between bilinear and bicubic interpolation at random; here it is bilinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.draws import happens, up_to
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .operations import Value, choices, none, signed

_LEVELS = 10  # the magnitude at which an operation has the end of its range
_LARGEST_LEVEL = 30  # of the paper's experiments
_LAYERS = 16
_UNIFORM = 100  # a deviation above it stands for a uniform magnitude


def _bits(strength: float, sign: int) -> float:
    return int(strength * 4)


def _increasing_bits(strength: float, sign: int) -> float:
    return max(4 - int(strength * 4), 0)


def _threshold(strength: float, sign: int) -> float:
    return min(256, int(strength * 256))


def _increasing_threshold(strength: float, sign: int) -> float:
    return 256 - _threshold(strength, sign)


def _added(strength: float, sign: int) -> float:
    return min(128, int(strength * 110))


def _factor(strength: float, sign: int) -> float:
    return strength * 1.8 + 0.1


def _increasing_factor(strength: float, sign: int) -> float:
    return max(0.1, 1 + sign * strength * 0.9)


_VALUES: Dict[str, Value] = {
    'autocontrast': none,
    'equalize': none,
    'invert': none,
    'rotate': signed(30),
    'posterize': _bits,
    'solarize': _threshold,
    'solarize_add': _added,
    'color': _factor,
    'contrast': _factor,
    'brightness': _factor,
    'sharpness': _factor,
    'shear_x': signed(0.3),
    'shear_y': signed(0.3),
    'translate_x_rel': signed(0.45),
    'translate_y_rel': signed(0.45),
}
_INCREASING: Dict[str, Value] = {
    'posterize': _increasing_bits,
    'solarize': _increasing_threshold,
    **dict.fromkeys(('color', 'contrast', 'brightness', 'sharpness'), _increasing_factor),
}
CHOICES = choices(_VALUES)
"""The operations, with the ranges of timm's ``_RAND_TRANSFORMS``."""
INCREASING_CHOICES = choices({**_VALUES, **_INCREASING})
"""The operations, with the ranges of timm's ``_RAND_INCREASING_TRANSFORMS``."""


@dataclass(frozen=True)
class RandAugment:
    """Apply operations that are chosen at random, with replacement, at one magnitude.

    Attributes:
        layers: how many operations are chosen for an image: N of the paper; default 2.
        magnitude: M of the paper, 0 .. ``largest``; 10 is the end of most ranges. Default 10.
        deviation: standard deviation of the magnitude of each operation, which is limited to 0 .. ``largest``; above
            100, the magnitude is uniform in 0 .. ``magnitude``. Default 0.
        largest: the largest magnitude, 10 .. 30; default 10.
        increasing: whether a larger magnitude always changes an image more; default False.
        probability: share of the chosen operations that are applied; 1 in the paper. Default 0.5.

    Raises:
        UsageError: a value is out of bounds.
    """

    layers: int = 2
    magnitude: float = 10
    deviation: float = 0.0
    largest: float = _LEVELS
    increasing: bool = False
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= _LAYERS:
            raise UsageError(f'RandAugment takes 1 to {_LAYERS} operations, n, got {self.layers:g}')
        if not _LEVELS <= self.largest <= _LARGEST_LEVEL:
            raise UsageError(
                f'the largest magnitude of RandAugment, mmax, must be in {_LEVELS}..{_LARGEST_LEVEL}, '
                f'got {self.largest:g}'
            )
        if not 0 <= self.magnitude <= self.largest:
            raise UsageError(
                f'the magnitude of RandAugment, m, must be in 0..{self.largest:g}, got {self.magnitude:g}: mmax allows '
                f'more, up to {_LARGEST_LEVEL}'
            )
        if not self.deviation >= 0:
            raise UsageError(f'the deviation of the magnitude, mstd, must be at least 0, got {self.deviation:g}')
        if not 0 <= self.probability <= 1:
            raise UsageError(f'the probability of an operation, p, must be in 0..1, got {self.probability:g}')

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
        """Apply the operations."""
        table = INCREASING_CHOICES if self.increasing else CHOICES
        for _ in range(self.layers):
            choice = table[up_to(rng, len(table) - 1)]
            if happens(rng, self.probability):
                sign = 1 if happens(rng) else -1
                pixels = choice(pixels, preprocessing, self._level(rng) / _LEVELS, sign)
        return pixels

    def _level(self, rng: np.random.Generator) -> float:
        """The magnitude of an operation."""
        if self.deviation > _UNIFORM:
            return self.magnitude * rng.random()
        if self.deviation == 0:
            return self.magnitude
        return min(max(rng.normal(self.magnitude, self.deviation), 0.0), self.largest)

"""The operations of which RandAugment and TrivialAugment choose."""

from __future__ import annotations

from typing import Callable, Dict, Mapping, NamedTuple, Tuple

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing

from . import affine, enhancement, tones
from .fill import mean_color

_Apply = Callable[[np.ndarray, float, np.ndarray], np.ndarray]
Value = Callable[[float, int], float]
"""From a strength, which is 0 .. 1 for most policies, and a sign, -1 or 1, to the value of an operation."""

OPERATIONS: Dict[str, _Apply] = {
    'identity': lambda pixels, value, fill: pixels,
    'autocontrast': lambda pixels, value, fill: tones.autocontrast(pixels),
    'equalize': lambda pixels, value, fill: tones.equalize(pixels),
    'invert': lambda pixels, value, fill: tones.invert(pixels),
    'posterize': lambda pixels, value, fill: tones.posterize(pixels, int(value)),
    'solarize': lambda pixels, value, fill: tones.solarize(pixels, value),
    'solarize_add': lambda pixels, value, fill: tones.solarize_add(pixels, int(value)),
    'color': lambda pixels, value, fill: enhancement.color(pixels, value),
    'contrast': lambda pixels, value, fill: enhancement.contrast(pixels, value),
    'brightness': lambda pixels, value, fill: enhancement.brightness(pixels, value),
    'sharpness': lambda pixels, value, fill: enhancement.sharpness(pixels, value),
    'rotate': affine.rotate,
    'shear_x': affine.shear_x,
    'shear_y': affine.shear_y,
    'translate_x': affine.translate_x,
    'translate_y': affine.translate_y,
    # by a part of the width or the height
    'translate_x_rel': lambda pixels, value, fill: affine.translate_x(pixels, value * pixels.shape[1], fill),
    'translate_y_rel': lambda pixels, value, fill: affine.translate_y(pixels, value * pixels.shape[0], fill),
}
"""Name -> from an image, (H, W, C) uint8, a value and the color to fill in, (C,), to an image of the same kind."""


class Choice(NamedTuple):
    """An operation with the values that a policy gives it.

    Attributes:
        name: a key of :data:`OPERATIONS`.
        value: gives its value.
    """

    name: str
    value: Value

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, strength: float, sign: int) -> np.ndarray:
        """Apply the operation.

        Args:
            pixels: (H, W, C) uint8.
            preprocessing: gives the color that is filled in, the mean.
            strength: the strength.
            sign: -1 or 1, of operations with a direction.

        Returns:
            An image of the same kind.
        """
        return OPERATIONS[self.name](pixels, self.value(strength, sign), mean_color(pixels, preprocessing))


def choices(values: Mapping[str, Value]) -> Tuple[Choice, ...]:
    """The choices of a policy, from the values of each operation by its name."""
    return tuple(Choice(name, value) for name, value in values.items())


def none(strength: float, sign: int) -> float:
    """The value of an operation that takes none."""
    return 0.0


def signed(largest: float) -> Value:
    """Values from 0 to the largest one, of either sign."""
    return lambda strength, sign: sign * strength * largest

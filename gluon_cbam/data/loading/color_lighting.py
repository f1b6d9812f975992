"""Color jitter with PCA lighting, as in the training of classifiers on ImageNet and of CenterNet."""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

from .draws import uniform
from .policies.enhancement import LUMA

_JITTER = 0.4  # brightness, contrast and saturation are multiplied by 0.6 .. 1.4
_LIGHTING = 0.1  # standard deviation of the weights of the principal components
# principal components of ImageNet's colors, in 0..255 (Krizhevsky et al. 2012, section 4.1): a column each
_COMPONENTS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_COMPONENTS_STD = np.array([55.46, 4.794, 1.148])


def color_lighting(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Draw brightness, contrast, saturation and PCA lighting, combined into one affine map of the colors.

    The contrast changes around the mean brightness of the image that is given.

    Args:
        rng: the random number generator.

    Returns:
        From (H, W, 3) uint8 RGB to the same.
    """
    brightness, contrast, saturation = (uniform(rng, 1 - _JITTER, 1 + _JITTER) for _ in range(3))
    lighting = _COMPONENTS @ (rng.normal(0, _LIGHTING, 3) * _COMPONENTS_STD)

    def recolor(pixels: np.ndarray) -> np.ndarray:
        mean = brightness * LUMA @ cv2.mean(pixels)[:3]
        gray = np.tile(LUMA, (3, 1))
        matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * gray)
        return cv2.transform(pixels, np.column_stack([matrix, (1 - contrast) * mean + lighting]))

    return recolor

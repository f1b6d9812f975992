"""The colors that augmentation puts where there is no image."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing


def mean_color(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The mean color, which is about zero after normalization.

    Args:
        pixels: (H, W, C) uint8.
        preprocessing: gives the mean.

    Returns:
        (C,) uint8.
    """
    return np.array(preprocessing.ground[: pixels.shape[2]], np.uint8)


def normal_colors(
    pixels: np.ndarray, preprocessing: Preprocessing, shape: Tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Random colors of which normalization makes standard normal numbers, rounded, and limited to 0..255.

    Args:
        pixels: (H, W, C) uint8.
        preprocessing: gives the mean and the standard deviation. Where they are of gray, so are the colors.
        shape: how many colors, in each dimension.
        rng: the random number generator.

    Returns:
        ``(*shape, C)`` uint8, or ``(*shape, 1)`` of gray.
    """
    channels = min(pixels.shape[2], len(preprocessing.mean))
    mean, std = (
        np.float32(255) * np.array(part[:channels], np.float32) for part in (preprocessing.mean, preprocessing.std)
    )
    numbers = rng.standard_normal((*shape, channels), np.float32)
    return np.clip(np.rint(numbers * std + mean), 0, 255).astype(np.uint8)

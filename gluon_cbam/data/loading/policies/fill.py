"""The colors that augmentation puts where there is no image."""

from __future__ import annotations

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


def normal_colors(pixels: np.ndarray, preprocessing: Preprocessing, numbers: np.ndarray) -> np.ndarray:
    """The colors of which normalization makes given numbers, rounded, and limited to 0..255.

    Args:
        pixels: (H, W, C) uint8.
        preprocessing: gives the mean and the standard deviation.
        numbers: (..., C) float32.

    Returns:
        (..., C) uint8.
    """
    mean, std = (np.float32(255) * np.array(part[: pixels.shape[2]], np.float32) for part in
                 (preprocessing.mean, preprocessing.std))  # fmt: skip
    return np.clip(np.rint(numbers * std + mean), 0, 255).astype(np.uint8)

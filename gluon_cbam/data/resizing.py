"""Resizing of decoded images."""

from __future__ import annotations

import cv2
import numpy as np


def resize_short_side(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an image so that its shorter side has a given length, bilinear.

    The longer side is rounded down, as in MXNet and torchvision.

    Args:
        pixels: (H, W, ...) uint8 or float32.
        size: length of the shorter side of the result, in pixels.

    Returns:
        (H', W', ...) of the same type; ``pixels`` itself if it already has that size.
    """
    height, width = pixels.shape[:2]
    if min(height, width) == size:
        return pixels
    shape = (width * size // height, size) if height < width else (size, height * size // width)
    return cv2.resize(pixels, shape, interpolation=cv2.INTER_LINEAR)


def resize_both_sides(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square, bilinear; its aspect ratio is not kept.

    Args:
        pixels: (H, W, ...) uint8 or float32.
        size: height and width of the result, in pixels.

    Returns:
        (size, size, ...) of the same type; ``pixels`` itself where it has that size already.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)

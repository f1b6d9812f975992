"""Brightness, contrast, color and sharpness, as Pillow's ``ImageEnhance`` has them.

Each takes an image, (H, W, C) uint8 RGB or gray, and a factor: 1 is the image itself, 0 the image without the property,
and more than 1 an image with more of it. Values are rounded to the nearest, where Pillow rounds some of them down: the
difference is at most 1 of 255, and of colors, which OpenCV computes in fixed point, at most 2.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
"""The shares of red, green and blue in the brightness of a color (ITU-R BT.601)."""
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def brightness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """From black to the image and beyond."""
    return _from(pixels, 0, factor)


def contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    """From a gray image of the mean brightness, rounded, to the image and beyond."""
    mean = np.array(cv2.mean(pixels)[: pixels.shape[2]])
    return _from(pixels, int((mean @ LUMA if len(mean) == len(LUMA) else mean[0]) + 0.5), factor)


def color(pixels: np.ndarray, factor: float) -> np.ndarray:
    """From a gray image to the image and beyond; an image that is gray stays."""
    if pixels.shape[2] == 1:
        return pixels
    return cv2.transform(pixels, factor * np.eye(3) + (1 - factor) * np.tile(LUMA, (3, 1)))


def sharpness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """From an image that is smoothed over 3 x 3 pixels to the image and beyond; pixels at the border stay."""
    smooth = cv2.filter2D(pixels, -1, _SMOOTH).reshape(pixels.shape)
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        smooth[border] = pixels[border]
    return cv2.addWeighted(pixels, factor, smooth, 1 - factor, 0).reshape(pixels.shape)


def _from(pixels: np.ndarray, value: int, factor: float) -> np.ndarray:
    """From an image of one value to the image and beyond."""
    return cv2.addWeighted(pixels, factor, pixels, 0, (1 - factor) * value).reshape(pixels.shape)

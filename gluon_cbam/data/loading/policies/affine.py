"""Affine transforms of an image of which the size stays, as Pillow's ``Image.transform`` and ``rotate`` have them.

Interpolation is bilinear, as timm's and torchvision's training has it among others; what comes from outside the image
is filled. Coordinates are those of Pillow, where the center of the first pixel is (0.5, 0.5). OpenCV 4 rounds places to
1/32 of a pixel, and OpenCV mixes the fill color into the pixels at the border, where Pillow repeats these.

Each takes and returns (H, W, C) uint8; ``fill`` is the color, (C,).
"""

from __future__ import annotations

import math

import cv2
import numpy as np


def shear_x(pixels: np.ndarray, factor: float, fill: np.ndarray) -> np.ndarray:
    """Move each row to the left by ``factor`` times its distance from the top."""
    return _warped(pixels, np.array([[1, factor, 0], [0, 1, 0]]), fill)


def shear_y(pixels: np.ndarray, factor: float, fill: np.ndarray) -> np.ndarray:
    """Move each column up by ``factor`` times its distance from the left."""
    return _warped(pixels, np.array([[1, 0, 0], [factor, 1, 0]]), fill)


def translate_x(pixels: np.ndarray, distance: float, fill: np.ndarray) -> np.ndarray:
    """Move to the left by a distance, in pixels."""
    return _warped(pixels, np.array([[1, 0, distance], [0, 1, 0]]), fill)


def translate_y(pixels: np.ndarray, distance: float, fill: np.ndarray) -> np.ndarray:
    """Move up by a distance, in pixels."""
    return _warped(pixels, np.array([[1, 0, 0], [0, 1, distance]]), fill)


def rotate(pixels: np.ndarray, degrees: float, fill: np.ndarray) -> np.ndarray:
    """Rotate counter-clockwise around the center."""
    (height, width), angle = pixels.shape[:2], math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    center = np.array([width / 2, height / 2])
    return _warped(pixels, np.column_stack([turn, center - turn @ center]), fill)


def _warped(pixels: np.ndarray, matrix: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Transform an image.

    Args:
        pixels: the image.
        matrix: (2, 3) from a place in the result, x and y, to its place in the image.
        fill: the color of what is outside the image.
    """
    to_corner = matrix.astype(np.float64)
    # OpenCV counts from the centers of pixels
    to_corner[:, 2] += 0.5 * to_corner[:, :2].sum(axis=1) - 0.5
    size = pixels.shape[1], pixels.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = tuple(map(int, fill))
    if pixels.shape[2] == 3:  # OpenCV takes half the time for four channels, with the same values
        four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
        warped = cv2.warpAffine(four, to_corner, size, flags=flags, borderValue=border)
        return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)
    return cv2.warpAffine(pixels, to_corner, size, flags=flags, borderValue=border).reshape(pixels.shape)

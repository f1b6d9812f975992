"""Alignment of faces: a picture is turned, scaled and moved so that five landmarks come near their reference points.

Source: ``face_align.norm_crop`` and ``preprocess`` of insightface; Umeyama, "Least-squares estimation of transformation
parameters between two point patterns", 1991, equations 40 to 43.
"""

from __future__ import annotations

from typing import Dict, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError

_REFERENCE = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)  # of 96 x 112 pixels; insightface adds 8 to x for 112 x 112
SIZES: Dict[str, Tuple[int, int]] = {'112x112': (112, 112), '96x112': (96, 112)}
"""Name -> width and height of aligned faces, in pixels."""
_LARGEST = 1e6  # of a coordinate; OpenCV's warp computes in float32
_SMALLEST = 1.0  # standard deviation of landmarks, in pixels


def reference_points(width: int, height: int) -> np.ndarray:
    """The places of five landmarks in an aligned face: eyes, nose, corners of the mouth, the picture's left one first.

    Args:
        width: width of the face, in pixels.
        height: height of the face, in pixels.

    Returns:
        (5, 2) float64, x and y in pixels; 0 is the center of the first pixel.

    Raises:
        UsageError: the size is not one of :data:`SIZES`.
    """
    if (width, height) not in SIZES.values():
        raise UsageError(f'faces are aligned to {" or ".join(SIZES)} pixels (width x height), not {width}x{height}')
    return _REFERENCE + [(width - 96) / 2, 0]


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scale and translation that bring points nearest to others, in the sum of squared distances.

    Args:
        source: (N, 2), points.
        target: (N, 2), where they should be.

    Returns:
        (2, 3) float64, the matrix for ``cv2.warpAffine``: target = matrix[:, :2] @ source + matrix[:, 2].

    Raises:
        DataError: the points are nearly one point, too large or not finite.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if not (np.isfinite(source).all() and np.abs(source).max() <= _LARGEST):
        raise DataError('landmarks that are not finite, or are outside of every picture')
    mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centered, target_centered = source - mean, target - target_mean
    variance = (centered**2).sum() / len(source)
    if variance < _SMALLEST**2:
        raise DataError('landmarks that lie within one pixel: they are given in pixels')
    covariance = target_centered.T @ centered / len(source)
    left, values, right = np.linalg.svd(covariance)
    signs = np.array([1.0, 1.0 if np.linalg.det(left) * np.linalg.det(right) > 0 else -1.0])
    linear = (left * signs) @ right * (values * signs).sum() / variance
    return np.column_stack([linear, target_mean - linear @ mean])


def align(pixels: np.ndarray, landmarks: np.ndarray, width: int = 112, height: int = 112) -> np.ndarray:
    """Align a face, bilinear; what lies outside of the picture is black.

    Args:
        pixels: (H, W, 3) uint8.
        landmarks: (5, 2), x and y of both eyes, the nose and both corners of the mouth, the picture's left one first.
        width: width of the result, in pixels.
        height: height of the result, in pixels.

    Returns:
        (height, width, 3) uint8.

    Raises:
        UsageError: the size is not one of :data:`SIZES`.
        DataError: the landmarks give no transform.
    """
    matrix = similarity_transform(landmarks, reference_points(width, height))
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))


def is_mirrored(landmarks: np.ndarray, width: int = 112, height: int = 112) -> bool:
    """Whether landmarks fit better with left and right exchanged.

    Args:
        landmarks: (5, 2), as for :func:`align`.
        width: width of the aligned face, in pixels.
        height: height of the aligned face, in pixels.

    Returns:
        True where the sum of squared distances from the reference points is smaller with left and right exchanged.
    """
    target = reference_points(width, height)
    residuals = []
    for points in (landmarks, landmarks[[1, 0, 2, 4, 3]]):
        matrix = similarity_transform(points, target)
        residuals.append(((points @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())
    return bool(residuals[1] < residuals[0])

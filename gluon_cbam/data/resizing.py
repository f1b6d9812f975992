"""Resizing of decoded images.

Where a long and thin image would be resized to far more pixels than are used, only those that are used are computed:
bit for bit the pixels of OpenCV, whose arithmetic :func:`_linear_region` repeats.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.limits import MAX_PIXELS_VARIABLE, max_pixels

_LARGE = 1 << 22  # pixels of a resized image, below which OpenCV resizes the whole image, which is faster
_ONE = 2048  # the weights of OpenCV's bilinear resize are multiples of 1/2048


class Region(NamedTuple):
    """A part of an image.

    Attributes:
        top: the first row, from 0.
        left: the first column, from 0.
        height: number of rows.
        width: number of columns.
    """

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The part of an image: a view of (height, width, ...)."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


class Frame(NamedTuple):
    """A rectangle with edges between pixels, such as the place of a whole image in the network's input.

    Attributes:
        left: x of the left edge.
        top: y of the upper edge.
        right: x of the right edge.
        bottom: y of the lower edge.
    """

    left: float
    top: float
    right: float
    bottom: float

    def inside(self, height: int, width: int) -> Region:
        """The part of it that is in an image, for a frame of whole numbers.

        Args:
            height: height of the image in pixels; its first pixel is at (0, 0).
            width: width of the image in pixels.
        """
        left, right = (min(max(int(edge), 0), width) for edge in (self.left, self.right))
        top, bottom = (min(max(int(edge), 0), height) for edge in (self.top, self.bottom))
        return Region(top, left, bottom - top, right - left)


def short_side_shape(height: int, width: int, size: int) -> Tuple[int, int]:
    """Height and width of an image after its shorter side was resized to a given length.

    The longer side is rounded down, as in MXNet and torchvision.

    Args:
        height: height of the image, in pixels.
        width: width of the image, in pixels.
        size: length of the shorter side of the result, in pixels.
    """
    return (size, width * size // height) if height < width else (height * size // width, size)


def cover_shape(height: int, width: int, tall: int, wide: int) -> Tuple[int, int]:
    """Height and width of the smallest resized image that covers a given size, with the same aspect ratio.

    One side has the given length, the other is rounded down. Of a square, this is :func:`short_side_shape`.

    Args:
        height: height of the image, in pixels.
        width: width of the image, in pixels.
        tall: height to cover, in pixels.
        wide: width to cover, in pixels.
    """
    return (tall, width * tall // height) if tall * width > wide * height else (height * wide // width, wide)


def letterbox_shape(height: int, width: int, tall: int, wide: int) -> Tuple[int, int]:
    """Height and width of the largest resized image that fits into a given size, with the same aspect ratio.

    One side has the given length, the other is rounded to the next pixel, a half up, and is at least one.

    Args:
        height: height of the image, in pixels.
        width: width of the image, in pixels.
        tall: largest height of the result, in pixels.
        wide: largest width of the result, in pixels.
    """
    if tall * width > wide * height:
        return max(1, (2 * height * wide + width) // (2 * width)), wide
    return tall, max(1, (2 * width * tall + height) // (2 * height))


def resize_short_side(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an image so that its shorter side has a given length, bilinear; see :func:`short_side_shape`.

    Args:
        pixels: (H, W, ...) uint8 or float32.
        size: length of the shorter side of the result, in pixels.

    Returns:
        (H', W', ...) of the same type; ``pixels`` itself if it already has that size.

    Raises:
        DataError: the result would have more pixels than :func:`gluon_cbam.common.limits.max_pixels`.
    """
    height, width = short_side_shape(pixels.shape[0], pixels.shape[1], size)
    return _resize_whole(pixels, height, width)


def _resize_whole(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image to a given size, unless that has too many pixels."""
    if height * width > max_pixels() and (height, width) != pixels.shape[:2]:
        raise DataError(
            f'an image of {pixels.shape[1]} x {pixels.shape[0]} pixels, resized to a short side of '
            f'{min(height, width)}, has {width} x {height}, the limit is {max_pixels()}: set {MAX_PIXELS_VARIABLE} to '
            'raise it'
        )
    return resize_to(pixels, height, width)


def resize_and_crop(pixels: np.ndarray, shape: Tuple[int, int], region: Region) -> np.ndarray:
    """A part of a resized image, bilinear; the rest is not computed where it would be large.

    Args:
        pixels: (H, W, ...) uint8 or float32.
        shape: height and width of the resized image, in pixels.
        region: the part of the resized image, in its pixels.

    Returns:
        (region.height, region.width, ...) of the same type.

    Raises:
        DataError: floats would be resized to more pixels than :func:`gluon_cbam.common.limits.max_pixels`.
    """
    height, width = pixels.shape[:2]
    used = height * width + region.height * region.width
    if shape[0] * shape[1] <= max(_LARGE, used) or pixels.dtype != np.uint8:
        return region.of(_resize_whole(pixels, *shape))
    return _linear_region(pixels, shape, region)


def _linear_region(pixels: np.ndarray, shape: Tuple[int, int], region: Region) -> np.ndarray:
    """A part of ``cv2.resize(pixels, ..., interpolation=cv2.INTER_LINEAR)``, in the same arithmetic.

    Only for uint8, and for images that do not become smaller by exactly two, where OpenCV averages.
    """
    channels = pixels.shape[2:]
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    (top, bottom), down = _weights(pixels.shape[0], shape[0], region.top, region.height)
    (left, right), across = _weights(pixels.shape[1], shape[1], region.left, region.width, edges=True)
    rows = []
    for row in (top[:, None], bottom[:, None]):
        row_left, row_right = (pixels[row, column].astype(np.int32) for column in (left, right))
        rows.append(row_left * across[0][:, None] + row_right * across[1][:, None])
    summed = sum(weight[:, None, None] * (row >> 4) >> 16 for weight, row in zip(down, rows))
    return (summed + 2 >> 2).astype(np.uint8).reshape(region.height, region.width, *channels)


def _weights(
    length: int, resized: int, first: int, count: int, edges: bool = False
) -> Tuple[Tuple[np.ndarray, np.ndarray], Tuple[np.ndarray, np.ndarray]]:
    """The two positions that a position of a resized side lies between, and their weights in 1/2048.

    Args:
        length: length of the side, in pixels.
        resized: its length after resizing.
        first: the first position, in pixels of the resized side.
        count: number of positions.
        edges: whether positions beyond the ends have the weights of the ends, as OpenCV's columns have and its rows
            have not.
    """
    places = ((np.arange(first, first + count) + 0.5) * (1 / (resized / length)) - 0.5).astype(np.float32)
    before = np.floor(places).astype(np.int64)
    part = places - before.astype(np.float32)
    if edges:
        part[(before < 0) | (before >= length - 1)] = 0
        before = before.clip(0, length - 1)
    weights = [np.rint(share * np.float32(_ONE)).astype(np.int32) for share in (np.float32(1) - part, part)]
    return (before.clip(0, length - 1), (before + 1).clip(0, length - 1)), (weights[0], weights[1])


def resize_to(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image to a given size, bilinear.

    Args:
        pixels: (H, W, ...) uint8 or float32.
        height: height of the result, in pixels.
        width: width of the result, in pixels.

    Returns:
        (height, width, ...) of the same type; ``pixels`` itself where it has that size already.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)

"""The check of pixels that a caller hands over, instead of an encoded image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator

from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


def check_pixels(pixels: Any) -> None:
    """Check that an image is what networks are given here: (H, W, 3) uint8, RGB.

    Other values would give predictions, but wrong ones.

    Args:
        pixels: the image.

    Raises:
        UsageError: it is something else, for instance floats in 0..1, gray, with transparency, channel-first, or empty.
            The message has the shape, the type and the range of the values, and says what to do.
    """
    import numpy as np

    if not isinstance(pixels, np.ndarray):
        raise UsageError(
            f'an image must be a NumPy array, (H, W, 3) uint8 RGB, got {type(pixels).__name__}: decode a file with '
            'gluon_cbam.data.decoding.decode, and call asnumpy() or numpy.asarray() on other arrays'
        )
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return
    remedies = ', then '.join([*_shape_remedies(pixels.shape), *(_type_remedies(pixels) if pixels.size else ())])
    raise UsageError(f'an image must be (H, W, 3) uint8 RGB, got {_described(pixels)}: {remedies}')


def _described(pixels: np.ndarray) -> str:
    """Shape, type and range of the values."""
    about = f'{pixels.shape} {pixels.dtype}'
    if pixels.size and pixels.dtype.kind in 'biuf':
        about += f' with values {pixels.min():g} to {pixels.max():g}'
    return about


def _shape_remedies(shape: tuple) -> Iterator[str]:
    if 0 in shape or not shape:
        yield 'the array is empty' if shape else 'a single number is no image'
    elif len(shape) == 2:
        yield 'repeat the gray channel, numpy.stack([image] * 3, -1)'
    elif len(shape) == 4:
        yield 'give one image at a time'
    elif len(shape) != 3:
        yield 'give an array of three dimensions'
    elif shape[2] == 4:
        yield 'leave out the transparency, image[:, :, :3]'
    elif shape[2] == 1:
        yield 'repeat the gray channel, image.repeat(3, -1)'
    elif shape[0] in (1, 3, 4) and shape[2] != 3:
        yield 'put the channels last, image.transpose(1, 2, 0)'
    elif shape[2] != 3:
        yield 'give three channels'


def _type_remedies(pixels: np.ndarray) -> Iterator[str]:
    if pixels.dtype == 'uint8':
        return
    if pixels.dtype.kind not in 'biuf':
        yield 'give whole numbers in 0..255'
        return
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind == 'b' or (pixels.dtype.kind == 'f' and 0 <= low <= high <= 1):
        yield "scale to 0..255, (image * 255.0).round().astype('uint8')"
    elif 0 <= low <= high <= 255:
        yield "convert the type, image.round().astype('uint8')"
    elif pixels.dtype == 'uint16':
        yield "scale to 0..255, (image >> 8).astype('uint8')"
    else:
        yield 'undo the normalization: values must be whole numbers in 0..255'

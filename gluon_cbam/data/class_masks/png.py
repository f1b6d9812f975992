"""Masks as PNG: reading one value a pixel of gray or palette PNGs, and writing them without loss."""

from __future__ import annotations

import io
from typing import Optional, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.limits import MAX_PIXELS_VARIABLE, max_pixels
from gluon_cbam.data.decoding.headers import Damaged, read_png

_SIGNATURE = b'\x89PNG'
_GRAY, _PALETTE = 0, 3  # color types of PNG
_COLOR_TYPE = 25  # offset in bytes


def decode_mask(data: Union[bytes, memoryview], name: str) -> np.ndarray:
    """Read the values of the pixels of a mask.

    Of a PNG with a palette, such as Pascal VOC's, these are the indices of the colors; of a gray one, of 1 to 16 bits,
    the gray values.

    Args:
        data: the bytes of a PNG.
        name: name of the mask in the error message.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: it is no PNG of one value a pixel, damaged, larger than the limit of pixels, or has a value above
            255.
    """
    encoded = bytes(data)
    if not encoded.startswith(_SIGNATURE):
        raise DataError(f'{name}: a mask must be a PNG, got bytes that begin with {encoded[:8]!r}')
    try:
        header = read_png(encoded)
    except Damaged as damage:
        raise DataError(f'{name}: a damaged mask ({len(encoded)} bytes): {damage}') from None
    if header.width * header.height > max_pixels():
        size = f'{header.width} x {header.height}'
        raise DataError(f'{name}: a mask of {size} pixels is above the limit: set {MAX_PIXELS_VARIABLE} to raise it')
    if encoded[_COLOR_TYPE] not in (_GRAY, _PALETTE):
        raise DataError(
            f'{name}: a mask must have one value a pixel, its class: got colors; save indices or gray values'
        )
    values = _values(encoded, header.bits)
    if values is None or values.shape != (header.height, header.width):
        raise DataError(f'{name}: a damaged mask ({len(encoded)} bytes)')
    largest = int(values.max())
    if largest > 255:
        raise DataError(f'{name}: a mask has values of 0 to 255, got {largest}')
    return values.astype(np.uint8)


def _values(encoded: bytes, bits: int) -> Optional[np.ndarray]:
    """The values of a PNG of one channel; None where it is damaged."""
    if encoded[_COLOR_TYPE] == _GRAY and bits >= 8:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(io.BytesIO(encoded)) as opened:
            values = np.asarray(opened)
    except Exception:  # the plugin raises errors of many kinds for damaged bytes
        return None
    if opened.mode == 'L':  # Pillow scales gray values of 2 and 4 bits to 0..255
        values = values // (255 // ((1 << bits) - 1))
    return values


def encode_mask(mask: np.ndarray) -> bytes:
    """A gray PNG of 8 bits with the values of a mask.

    Args:
        mask: (H, W) uint8.
    """
    return cv2.imencode('.png', mask)[1].tobytes()

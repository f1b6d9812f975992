"""The bytes that records store of an image: those of its file, or another encoding where readers do not know them."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import DarkImages, decode, format_of
from gluon_cbam.data.resizing import resize_short_side
from gluon_cbam.data.sources.file_trees import Readable

_JPEG_SIDE = 65_500  # pixels that libjpeg writes at most


class Encoded(NamedTuple):
    """The bytes to store for an image.

    Attributes:
        data: the bytes; empty for a bad image.
        fault: why the image is bad; None for a good one.
        converted: whether it was converted to PNG, or scaled to 8 bits.
        bits: number of bits that an image of 16 uses, if these are few; else 0.
        size: height and width of the image as it was decoded, before it was resized.
        stored: height and width of the image that is stored.
    """

    data: bytes
    fault: Optional[str] = None
    converted: bool = False
    bits: int = 0
    size: Tuple[int, int] = (0, 0)
    stored: Tuple[int, int] = (0, 0)


def encode(
    content: Union[Readable, bytes],
    resize: Optional[int] = None,
    quality: int = 95,
    depth: Optional[int] = None,
) -> Encoded:
    """Decode an image, and encode it again where that is needed.

    Args:
        content: the bytes of the image, or what reads them.
        resize: length of the shorter side in pixels; the image is encoded as JPEG. By default, the bytes of JPEG, PNG
            and BMP are kept, and images of other formats become PNG.
        quality: quality of the JPEG, 1..100.
        depth: number of bits that images of 16 bits a channel use, 8..16; they become PNG of 8 bits.

    Returns:
        The bytes, or why there are none.
    """
    try:
        return _encoded(content if isinstance(content, bytes) else content.read(), resize, quality, depth)
    except OSError as error:
        return Encoded(b'', error.strerror or str(error))
    except DataError as error:
        return Encoded(b'', str(error).partition(': ')[2])


def _encoded(data: bytes, resize: Optional[int], quality: int, depth: Optional[int]) -> Encoded:
    dark = DarkImages()
    pixels = decode(data, 'bad', depth, dark)
    height, width = size = pixels.shape[:2]
    if resize is not None:
        try:
            pixels = resize_short_side(pixels, resize)
        except DataError as error:
            raise DataError(f'bad: {error}') from None
        height, width = pixels.shape[:2]
        if max(height, width) > _JPEG_SIDE:
            raise DataError(f'bad: resized to {width} x {height} pixels it is too large for a JPEG')
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        return Encoded(_written('.jpg', pixels, options), bits=dark.bits, size=size, stored=(height, width))
    row = format_of(data)
    deep = depth is not None and row is not None and row.header(data).bits == 16
    if row is not None and row.packed_as_is and not deep:
        return Encoded(data, bits=dark.bits, size=size, stored=size)
    return Encoded(_written('.png', pixels, []), converted=True, bits=dark.bits, size=size, stored=size)


def _written(ending: str, pixels: np.ndarray, options: List[int]) -> bytes:
    """RGB pixels in the format of an ending."""
    return cv2.imencode(ending, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()

"""Decoding of JPEG that finds data that are missing or corrupt.

libjpeg decodes what it can, and only warns: of an image that ends too early, the rest becomes gray. OpenCV and Pillow
do not pass these warnings on; simplejpeg raises them. OpenCV and simplejpeg use libjpeg-turbo and give the same pixels.
"""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

import cv2
import numpy as np
import simplejpeg

from .headers import Damaged, ImageHeader

# the warnings of jerror.h that are of pixels; the others are of headers
_DAMAGE = ('Corrupt JPEG data', 'Premature end of JPEG')
_HARMLESS = 'Corrupt JPEG data: bad ICC marker'
# what follows the last row that is decoded, up to the marker of the end; libjpeg finds nothing else to warn of
_ROWS_LEFT = re.compile(r'Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9')
# scales; for 5, 6 and 7, libjpeg-turbo has no SIMD code: they take longer than the whole image
_EIGHTHS = (1, 2, 3, 4)
_BLOCK = 8  # pixels, of which a scale makes one at least
_FAST = {'fastdct': True, 'fastupsample': True}
_INKS = 4  # channels of an image for printing


class Reduced(NamedTuple):
    """An image that was decoded in a smaller size.

    Attributes:
        pixels: (H, W, 4) uint8: RGB, and a channel without meaning, since OpenCV transforms four channels in half of
            the time of three. Rows may be missing at the bottom. The last row and the last column may show less of the
            image than the others: the size is rounded up.
        scale: the size of a pixel of the image, in those of the smaller one.
    """

    pixels: np.ndarray
    scale: float


def decode_jpeg(image: bytes, header: ImageHeader) -> Optional[np.ndarray]:
    """Decode a JPEG.

    Args:
        image: the bytes of the image.
        header: what its header states.

    Returns:
        (H, W, 3) uint8 RGB, the pixels that OpenCV gives; None where it cannot be decoded.

    Raises:
        Damaged: entropy-coded data are missing or corrupt.
    """
    try:
        pixels = simplejpeg.decode_jpeg(image, 'CMYK' if header.channels == _INKS else 'RGB')
    except ValueError as error:
        if str(error).startswith(_DAMAGE) and not str(error).startswith(_HARMLESS):
            raise Damaged(str(error)) from None
    else:
        if _is_plain(header):
            return pixels
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)  # turns the image; knows inks


def decode_rows(image: bytes, header: ImageHeader, rows: int, fast: bool = False) -> Optional[np.ndarray]:
    """Decode the upper rows of a JPEG: the same pixels, without the time for the rest.

    Damage to the rest is not found, unless the end of the image is missing.

    Args:
        image: the bytes of the image.
        header: what its header states.
        rows: how many rows are needed, at least 1.
        fast: whether pixels may differ by a few levels, and colors be coarser, for a tenth of the time.

    Returns:
        (at least ``rows``, W, 3) uint8 RGB; None where :func:`decode_jpeg` must decode it, perhaps since it is damaged.
    """
    begin = _begin(image, header, rows)
    if begin is None and not (fast and _is_plain(header)):
        return None
    data, height = begin or (image, header.height)
    return _decoded(data, height, header.width, 'RGB', _FAST if fast else {})


def decode_reduced(image: bytes, header: ImageHeader, height: float, width: float, rows: int) -> Optional[Reduced]:
    """Decode a JPEG at the smallest scale at which it has at least a given size; damage is found as by the others.

    Args:
        image: the bytes of the image.
        header: what its header states.
        height: least height of the whole image in pixels.
        width: least width.
        rows: how many rows of the image are needed, from the top, at least 1.

    Returns:
        The image; None where it has to be decoded in its own size.
    """
    least = max(height / header.height, width / header.width)
    eighths = next((each for each in _EIGHTHS if each >= 8 * least), None)
    if eighths is None or not _is_plain(header):
        return None
    data, rows = _begin(image, header, rows + _BLOCK) or (image, header.height)
    size = -(-rows * eighths // 8), -(-header.width * eighths // 8)
    pixels = _decoded(data, *size, 'RGBA', {'min_height': size[0], 'min_width': size[1], **_FAST})
    return None if pixels is None else Reduced(pixels, eighths / 8)


def _is_plain(header: ImageHeader) -> bool:
    """Whether pixels are RGB as they are decoded, neither to be turned nor of inks."""
    return header.upright and header.channels != _INKS


def _begin(image: bytes, header: ImageHeader, rows: int) -> Optional[Tuple[bytearray, int]]:
    """A JPEG whose header states fewer rows, and how many these are: at least the rows that are needed.

    None where it cannot be shortened. Rows are encoded in units; the colors of the last rows of the image depend on
    the row that follows them.
    """
    frame = header.sequential
    if frame is None or not _is_plain(header):
        return None
    needed = -(-(rows + frame.unit // 4) // frame.unit) * frame.unit
    if needed >= header.height:
        return None
    shortened = bytearray(image)
    shortened[frame.height_at : frame.height_at + 2] = needed.to_bytes(2, 'big')
    return shortened, needed


def _decoded(image: Any, height: int, width: int, colors: str, options: Dict[str, Any]) -> Optional[np.ndarray]:
    """Decode to a size that is known; None where it is another, or where libjpeg warns of more than rows that are left.

    libjpeg reads to the end of the image when all rows are decoded, and then warns of the data in between. simplejpeg
    raises the first warning, so that there was none before.
    """
    pixels = np.empty((height, width, len(colors)), np.uint8)
    try:
        found = simplejpeg.decode_jpeg(image, colors, buffer=pixels, **options)
    except ValueError as error:
        return pixels if _ROWS_LEFT.fullmatch(str(error)) else None
    return pixels if found.shape == pixels.shape else None

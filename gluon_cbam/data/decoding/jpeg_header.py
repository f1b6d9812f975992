"""The header of a JPEG file."""

from __future__ import annotations

import struct
from typing import Optional

from .headers import Damaged, ImageHeader, SequentialFrame

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers of the header of a frame
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE = 0xC2
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_EXIF, _SCAN, _END, _RESTARTS = 0xE1, 0xDA, 0xD9, 0xDD
_ORIENTATION = 0x0112
_MAX_PIXELS_OF_BYTE = 512  # a block of 64 pixels takes a bit at least
_MAX_SCANS = 100  # of a progressive image; each costs a pass over the pixels


def read_jpeg(image: bytes) -> ImageHeader:
    """Read the header of a JPEG, up to the first scan.

    Args:
        image: the bytes of the image.

    Returns:
        The header.

    Raises:
        Damaged: there is no frame, or its size is more than the bytes can hold.
    """
    at, frame, upright, frame_at, restarts = 2, None, True, 0, False
    try:
        while True:
            at = image.index(b'\xff', at) + 1
            while image[at] == 0xFF:
                at += 1
            marker = image[at]
            at += 1
            if marker in _WITHOUT_LENGTH or not marker:
                continue
            if marker in (_SCAN, _END):
                break
            (length,) = struct.unpack_from('>H', image, at)
            if marker in _FRAMES and frame is None:
                frame, frame_at = (marker, *struct.unpack_from('>BHHB', image, at + 2)), at
            elif marker == _EXIF and image[at + 2 : at + 6] == b'Exif':
                upright = upright and _orientation(image[at + 8 : at + length]) == 1
            restarts = restarts or marker == _RESTARTS
            at += length
        in_scan = image[at + 2] if marker == _SCAN else 0
    except (ValueError, IndexError, struct.error):
        raise Damaged('its header is cut') from None
    if frame is None:
        raise Damaged('it has no frame')
    header = _checked(image, upright, *frame)
    if frame[0] not in _SEQUENTIAL or in_scan != header.channels or restarts:
        return header
    return header._replace(sequential=_sequential(image, frame_at, header.channels))


def _sequential(image: bytes, frame_at: int, channels: int) -> SequentialFrame:
    """What a frame at an offset, with all channels in one scan, states about its rows."""
    factors = image[frame_at + 9 : frame_at + 9 + 3 * channels : 3]  # of each channel: those across and down
    return SequentialFrame(frame_at + 3, 8 * max([1, *(factor & 15 for factor in factors)]))


def _checked(
    image: bytes, upright: bool, marker: int, bits: int, height: int, width: int, components: int
) -> ImageHeader:
    if marker in _HUFFMAN and width * height > _MAX_PIXELS_OF_BYTE * len(image):
        raise Damaged(f'it states {width} x {height} pixels, which {len(image)} bytes cannot hold')
    if marker == _PROGRESSIVE and image.count(b'\xff\xda') > _MAX_SCANS:
        raise Damaged(f'it has {image.count(bytes([0xFF, _SCAN]))} scans')
    return ImageHeader(width, height, bits, 0, components, upright)


def _orientation(exif: bytes) -> Optional[int]:
    """The orientation in EXIF data, 1 where it has none; None where the data are not understood."""
    order = {b'II': '<', b'MM': '>'}.get(exif[:2])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f'{order}I', exif, 4)
        (count,) = struct.unpack_from(f'{order}H', exif, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f'{order}HHIH', exif, entry)
            if tag == _ORIENTATION:
                return value
    except struct.error:
        return None
    return 1

"""What the headers of image files state, read before anything is decoded.

A function for each format. Each raises :class:`Damaged` where the header cannot be read, or where it states more than
the bytes of the image can hold: decoders reserve memory for what a header states. JPEG has a module of its own.
"""

from __future__ import annotations

import struct
import zlib
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

_DEFLATE_RATIO = 1032  # bytes that deflate makes of one byte at most
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of the color types of PNG
_PNG_HEADER, _PNG_CHUNK = struct.Struct('>IIBB').unpack_from, struct.Struct('>I4s').unpack_from
_PNG_ANIMATION = (b'acTL', b'fcTL', b'fdAT')
_PNG_SIGNATURE_LENGTH, _PNG_MAX_SIDE = 8, 1_000_000  # libpng refuses more pixels on a side
_PNG_CHECKED = (b'IHDR', b'PLTE', b'IDAT', b'IEND')  # a wrong checksum of another chunk damages no pixels
_PNG_DATA = (b'IDAT', b'fdAT')
_PNG_EXIF = b'eXIf'
_PIXELS_PER_BYTE = 4096  # a code of GIF or WebP repeats as many at most
_EMPTY_PIXELS = 1 << 26  # an image of one color may have as many in a few bytes
_TIFF_NUMBERS = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}  # types of the entries of a TIFF
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT, _TIFF_KIND = 256, 257, 258, 322, 323, 339
_TIFF_KINDS = {1: 'unsigned integer', 2: 'signed integer', 3: 'floating point', 5: 'complex integer', 6: 'complex'}
_TIFF_MAX_ENTRIES = 4096


class Damaged(Exception):
    """The header of an image is damaged; the message is the reason."""


class Unsupported(Exception):
    """The image is intact, but its values are of a kind that is not read; the message is the reason."""


class SequentialFrame(NamedTuple):
    """The frame of a JPEG whose rows follow each other in one scan, without restart markers.

    Attributes:
        height_at: offset of the two bytes that state the number of rows.
        unit: rows of pixels that are encoded together.
    """

    height_at: int
    unit: int


class ImageHeader(NamedTuple):
    """What the header of an image states.

    Attributes:
        width: in pixels, before the EXIF orientation is applied.
        height: in pixels.
        bits: number of bits of a channel.
        reserved: number of pixels that the decoder reserves memory for, where it is more than width times height.
        channels: number of channels of a JPEG.
        upright: whether no EXIF data of a JPEG or PNG may turn it.
        sequential: of a JPEG whose rows follow each other in one scan, where its frame is; None for others.
    """

    width: int
    height: int
    bits: int = 8
    reserved: int = 0
    channels: int = 3
    upright: bool = True
    sequential: Optional[SequentialFrame] = None


def read_png(image: bytes) -> ImageHeader:
    """Read the header of a PNG, and check its chunks; libpng would print what it finds in them on standard error."""
    size = len(image)
    if size < 33 or image[8:16] != b'\0\0\0\rIHDR':
        raise Damaged('it does not begin with the chunk IHDR')
    width, height, bits, color = _PNG_HEADER(image, 16)
    if not 0 < width <= _PNG_MAX_SIDE or not 0 < height <= _PNG_MAX_SIDE:
        raise Damaged(f'it states {width} x {height} pixels; a side has 1 to {_PNG_MAX_SIDE}')
    compressed, at, upright = 0, 8, True
    while at + 8 <= size:
        length, kind = _PNG_CHUNK(image, at)
        at += 12 + length
        if at > size:
            raise Damaged(f'chunk {kind!r} states {length} bytes, {max(0, size - at + length)} follow')
        if kind in _PNG_DATA:
            compressed += length
        upright = upright and kind != _PNG_EXIF
        if kind in _PNG_CHECKED:
            _check_png_chunk(image, at - 12 - length, length, kind)
    if (width * bits * _CHANNELS.get(color, 1) >> 3) * height > _DEFLATE_RATIO * (compressed + 1):
        raise Damaged(f'it states {width} x {height} pixels, which {compressed} bytes of image data cannot hold')
    return ImageHeader(width, height, bits, upright=upright)


def _check_png_chunk(image: bytes, begin: int, length: int, kind: bytes) -> None:
    if kind == b'IHDR' and begin != _PNG_SIGNATURE_LENGTH:
        raise Damaged(f'a second chunk IHDR at byte {begin}')
    end = begin + 8 + length
    if zlib.crc32(memoryview(image)[begin + 4 : end]) != int.from_bytes(image[end : end + 4], 'big'):
        raise Damaged(f'chunk {kind!r} at byte {begin} has another checksum than it states')


def still_png(image: bytes) -> bytes:
    """A PNG without the chunks of an animation, of which the image that every reader shows is left.

    Args:
        image: a PNG whose chunks :func:`read_png` found to be whole.
    """
    parts, at = [image[:8]], 8
    while at + 8 <= len(image):
        length, kind = _PNG_CHUNK(image, at)
        if kind not in _PNG_ANIMATION:
            parts.append(image[at : at + 12 + length])
        at += 12 + length
    return b''.join(parts)


def read_bmp(image: bytes) -> ImageHeader:
    """Read the header of a BMP."""
    if len(image) < 26:
        raise Damaged('its header is cut')
    old = struct.unpack_from('<I', image, 14) == (12,)
    width, height = struct.unpack_from('<HH' if old else '<ii', image, 18)
    return ImageHeader(abs(width), abs(height))


def read_gif(image: bytes) -> ImageHeader:
    """Read the size of the screen of a GIF and of its first frame, which may be larger."""
    width, height, flags = _unpacked('<HHB', image, 6)
    at = 13 + _color_table(flags)
    while image[at : at + 1] == b'!':  # extensions: comments, the delay of the frame, ...
        at += 2
        while image[at : at + 1] > b'\0':
            at += 1 + image[at]
        at += 1
    separator, left, top, frame_width, frame_height = _unpacked('<cHHHH', image, at)
    if separator != b',':
        raise Damaged('it has no frame')
    width, height = max(width, left + frame_width), max(height, top + frame_height)
    return _not_empty(image, width, height)


def _color_table(flags: int) -> int:
    """Number of bytes of the table of colors of a GIF."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def read_webp(image: bytes) -> ImageHeader:
    """Read the size of a WebP, of any of its three kinds."""
    kind = bytes(image[12:16])
    if kind == b'VP8 ':
        width, height = _unpacked('<HH', image, 26)
        return _not_empty(image, width & 0x3FFF, height & 0x3FFF)
    if kind == b'VP8L':
        (bits,) = _unpacked('<I', image, 21)
        return _not_empty(image, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b'VP8X' and len(image) >= 30:
        width, height = (int.from_bytes(image[at : at + 3], 'little') + 1 for at in (24, 27))
        return _not_empty(image, width, height)
    raise Damaged(f'it holds {kind!r} instead of an image')


def _not_empty(image: bytes, width: int, height: int) -> ImageHeader:
    """The header of a GIF or WebP, refused where a few bytes would take gigabytes of memory."""
    if width * height > max(_EMPTY_PIXELS, _PIXELS_PER_BYTE * len(image)):
        raise Damaged(f'it states {width} x {height} pixels, which {len(image)} bytes cannot hold')
    return ImageHeader(width, height)


def read_tiff(image: bytes) -> ImageHeader:
    """Read the size of the first page of a TIFF, and of its tiles.

    Raises:
        Unsupported: its values are no unsigned integers of 16 bits at most. What they mean as a picture is not defined,
            and OpenCV 4.11 reads signed and floating point values as if they were unsigned.
    """
    order, big = '<' if image[:2] == b'II' else '>', image[2:4] in (b'+\0', b'\0+')
    (at,) = _unpacked(f'{order}{"Q" if big else "I"}', image, 8 if big else 4)
    fields = dict(_tiff_fields(image, order, big, at))
    width, height = fields.get(_TIFF_WIDTH, 0), fields.get(_TIFF_HEIGHT, 0)
    tile = fields.get(_TIFF_TILE_WIDTH, 0) * fields.get(_TIFF_TILE_HEIGHT, 0)
    bits, kind = fields.get(_TIFF_BITS, 1), fields.get(_TIFF_KIND, 1)
    if kind in (2, 3, 5, 6) or bits > 16:
        values = f'{bits}-bit {_TIFF_KINDS.get(kind, "unsigned integer")} values'
        raise Unsupported(f'a TIFF of {values}: convert it to unsigned integers of 8 or 16 bits')
    return ImageHeader(width, height, bits, tile)


def _tiff_fields(image: bytes, order: str, big: bool, at: int) -> Iterator[Tuple[int, int]]:
    """The fields of a directory of a TIFF with their first values, as far as these are whole numbers."""
    (count,) = _unpacked(f'{order}{"Q" if big else "H"}', image, at)
    if count > _TIFF_MAX_ENTRIES:
        raise Damaged(f'its directory states {count} entries')
    entry, inline, pointer = (20, 8, 'Q') if big else (12, 4, 'I')
    for begin in range(at + (8 if big else 2), at + (8 if big else 2) + entry * count, entry):
        tag, kind, values = _unpacked(f'{order}HH{pointer}', image, begin)
        if kind not in _TIFF_NUMBERS:
            continue
        place = begin + entry - inline
        if struct.calcsize(_TIFF_NUMBERS[kind]) * values > inline:
            (place,) = _unpacked(f'{order}{pointer}', image, place)
        if place + struct.calcsize(_TIFF_NUMBERS[kind]) <= len(image):
            yield tag, _unpacked(f'{order}{_TIFF_NUMBERS[kind]}', image, place)[0]


def read_avif(image: bytes) -> ImageHeader:
    """Read the largest size that the properties of an AVIF state (ISO/IEC 23008-12, ImageSpatialExtentsProperty)."""
    sizes: Dict[int, Tuple[int, int]] = {}
    at = image.find(b'ispe')
    while at >= 0:
        width, height = _unpacked('>II', image, at + 8)
        sizes[width * height] = (width, height)
        at = image.find(b'ispe', at + 4)
    if not sizes:
        raise Damaged('it states no size')
    return ImageHeader(*sizes[max(sizes)])


def _unpacked(form: str, image: bytes, at: int) -> Tuple:
    try:
        return struct.unpack_from(form, image, at)
    except struct.error:
        raise Damaged('its header is cut') from None

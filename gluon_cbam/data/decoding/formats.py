"""The image formats that are read, recognized by their first bytes and never by the name of a file."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Tuple, Union

from .headers import ImageHeader, read_avif, read_bmp, read_gif, read_png, read_tiff, read_webp
from .jpeg_header import read_jpeg

_SIGNATURE_LENGTH = 64  # the list of brands of AVIF may be this long
_AVIF_BRANDS = (b'avif', b'avis')


class ImageFormat(NamedTuple):
    """A format.

    Attributes:
        name: name of the format, for messages.
        endings: endings of the names of its files, in lower case.
        matches: whether the first bytes of an image are those of the format.
        header: reads what the header of an image states; raises :class:`.headers.Damaged`.
        reader: the package that decodes it: ``simplejpeg``; ``opencv``; ``pillow`` where OpenCV 4.11 has no decoder
            (GIF, AVIF) or leaves out the EXIF orientation (WebP).
        packed_as_is: whether MXNet's own reader of record files decodes the bytes as well. Packing converts the other
            formats to PNG, which loses nothing of the pixels that :func:`.decoder.decode` gives.
    """

    name: str
    endings: Tuple[str, ...]
    matches: Callable[[bytes], bool]
    header: Callable[[bytes], ImageHeader]
    reader: str
    packed_as_is: bool

    def states_size(self, header: ImageHeader) -> bool:
        """Whether a header states the size of the pixels as they are decoded, so that it is known without decoding."""
        return self.packed_as_is and header.upright


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda begin: begin.startswith(signatures)


def _webp(begin: bytes) -> bool:
    return begin.startswith(b'RIFF') and begin[8:12] == b'WEBP'


def _avif(begin: bytes) -> bool:
    """Whether a box of ISO/IEC 14496-12 names an AVIF brand as its main or as a compatible one."""
    if begin[4:8] != b'ftyp':
        return False
    brands = begin[8 : min(int.from_bytes(begin[:4], 'big'), _SIGNATURE_LENGTH)]
    return any(brands[at : at + 4] in _AVIF_BRANDS for at in range(0, len(brands), 4))


FORMATS: Tuple[ImageFormat, ...] = (
    ImageFormat('JPEG', ('.jpg', '.jpeg', '.jpe', '.jfif'), _begins(b'\xff\xd8\xff'), read_jpeg, 'simplejpeg', True),
    ImageFormat('PNG', ('.png',), _begins(b'\x89PNG'), read_png, 'opencv', True),
    ImageFormat('BMP', ('.bmp',), _begins(b'BM'), read_bmp, 'opencv', True),
    ImageFormat('WebP', ('.webp',), _webp, read_webp, 'pillow', False),
    ImageFormat('GIF', ('.gif',), _begins(b'GIF87a', b'GIF89a'), read_gif, 'pillow', False),
    ImageFormat('TIFF', ('.tif', '.tiff'), _begins(b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'), read_tiff, 'opencv', False),
    ImageFormat('AVIF', ('.avif',), _avif, read_avif, 'pillow', False),
)
"""Every format that is read."""
IMAGE_ENDINGS: Tuple[str, ...] = tuple(ending for row in FORMATS for ending in row.endings)
"""Endings of the names of image files, in lower case; the case of an ending is ignored."""
FORMAT_NAMES = f'{", ".join(row.name for row in FORMATS[:-1])} or {FORMATS[-1].name}'
"""The formats, for messages."""


def format_of(image: Union[bytes, memoryview]) -> Optional[ImageFormat]:
    """The format of an encoded image.

    Args:
        image: the bytes of the image, or its first 64 bytes.

    Returns:
        The row of :data:`FORMATS`; None where the bytes are of no format that is read.
    """
    begin = image if isinstance(image, bytes) else bytes(image[:_SIGNATURE_LENGTH])
    for row in FORMATS:
        if row.matches(begin):
            return row
    return None

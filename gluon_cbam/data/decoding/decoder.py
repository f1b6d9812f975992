"""From the bytes of an image to its pixels."""

from __future__ import annotations

import io
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Callable, Dict, Optional, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.limits import MAX_PIXELS_VARIABLE, max_pixels

from . import opencv_log
from .depth import DarkImages, few_bits, scaled
from .formats import FORMAT_NAMES, ImageFormat, format_of
from .headers import Damaged, ImageHeader, Unsupported, still_png
from .jpeg import Reduced, decode_jpeg, decode_reduced, decode_rows

if TYPE_CHECKING:
    from PIL.Image import Image


def decode(
    image: Union[bytes, memoryview], name: str, depth: Optional[int] = None, dark: Optional[DarkImages] = None
) -> np.ndarray:
    """Decode an image; of an animation, the first frame.

    Args:
        image: the bytes of an image of one of :data:`gluon_cbam.data.decoding.formats.FORMATS`.
        name: name of the image in the error message.
        depth: for images of 16 bits a channel, the number of bits that they use, 8..16; by default all 16, of which
            OpenCV drops the lower eight.
        dark: counts images of 16 bits a channel that use 12 at most, where ``depth`` is not given.

    Returns:
        (H, W, 3) uint8, RGB, turned as its EXIF orientation says. Transparency is left out.

    Raises:
        DataError: the image is empty, of another format, damaged or truncated, a TIFF of signed or floating point
            values, or its header states more pixels than :func:`gluon_cbam.common.limits.max_pixels`.
        UsageError: ``CBAM_MAX_PIXELS`` in the environment is not a number of pixels.
    """
    encoded = bytes(image)
    try:
        return _decoded(encoded, name, *_headed(encoded), depth, dark)
    except _FAULTS as fault:
        raise _refusal(fault, encoded, name) from None


Decode = Callable[[Union[bytes, memoryview], str], np.ndarray]
"""The type of :func:`decode`, with or without its options."""


class EncodedImage:
    """An image whose header was read, and whose pixels are decoded where they are needed.

    Args:
        image: see :func:`decode`.
        name: name of the image in the error message.

    Attributes:
        height: height of the pixels.
        width: width of the pixels.

    Raises:
        DataError: see :func:`decode`; of an image that does not state the size of its pixels (one that is turned as its
            EXIF orientation says, for instance), all of its errors, as it is decoded at once.
    """

    def __init__(self, image: Union[bytes, memoryview], name: str) -> None:
        self._image, self._name, self._pixels = bytes(image), name, None
        try:
            self._row, self._header = _headed(self._image)
        except _FAULTS as fault:
            raise _refusal(fault, self._image, name) from None
        self.height, self.width = self._header.height, self._header.width
        if not self._row.states_size(self._header):
            self._pixels = self._decoded()
            self.height, self.width = self._pixels.shape[:2]

    def pixels(self, rows: Optional[int] = None, fast: bool = False) -> np.ndarray:
        """Decode the image.

        Args:
            rows: how many rows are needed, from the top; default all.
            fast: whether pixels of a JPEG may be others, see :func:`.jpeg.decode_rows`; default no.

        Returns:
            (H, W, 3) uint8, RGB, see :func:`decode`; or at least ``rows`` of its rows.

        Raises:
            DataError: it is damaged; perhaps not if the damage is below ``rows``.
        """
        if self._pixels is not None:
            return self._pixels
        if (rows is not None or fast) and self._row.reader == 'simplejpeg':
            upper = decode_rows(self._image, self._header, self.height if rows is None else rows, fast)
            if upper is not None:
                return upper
        pixels = self._decoded()
        if pixels.shape[:2] != (self.height, self.width):
            size = f'{pixels.shape[1]} x {pixels.shape[0]} pixels'
            raise DataError(f'{self._name}: a damaged image: {size}, its header states {self.width} x {self.height}')
        return pixels

    def reduced(self, height: float, width: float, rows: int) -> Optional[Reduced]:
        """Decode a JPEG in a smaller size, see :func:`.jpeg.decode_reduced`; the pixels are others than resized ones.

        Args:
            height: least height of the whole image in pixels.
            width: least width.
            rows: how many rows of the image, in its own size, are needed, from the top.

        Returns:
            The image; None where :meth:`pixels` has to decode it, or to say what is wrong with it.
        """
        if self._pixels is not None or self._row.reader != 'simplejpeg':
            return None
        return decode_reduced(self._image, self._header, height, width, rows)

    def _decoded(self) -> np.ndarray:
        try:
            return _decoded(self._image, self._name, self._row, self._header)
        except _FAULTS as fault:
            raise _refusal(fault, self._image, self._name) from None


class _Refused(Exception):
    """The image is not decoded; the message is the reason."""


_FAULTS = (Damaged, Unsupported, _Refused, cv2.error, MemoryError)


def _refusal(fault: Exception, image: bytes, name: str) -> DataError:
    """The error that a fault becomes."""
    if isinstance(fault, Damaged):
        return DataError(f'{name}: a damaged image ({len(image)} bytes): {fault}')
    if isinstance(fault, cv2.error):  # its header states more pixels than OpenCV accepts, or than fit into memory
        return DataError(f'{name}: OpenCV refuses the image ({fault.err})')
    if isinstance(fault, MemoryError):
        return DataError(f'{name}: there is not enough memory to decode the image')
    return DataError(f'{name}: {fault}')


def _headed(image: bytes) -> Tuple[ImageFormat, ImageHeader]:
    """The format of an image, and what its header states, which is no more pixels than the limit."""
    if not image:
        raise _Refused('the image is empty')
    row = format_of(image)
    if row is None:
        raise _Refused(f'no {FORMAT_NAMES} (it begins with {image[:12]!r})')
    header = row.header(image)
    limit = max_pixels()
    if header.width * header.height > limit or header.reserved > limit:
        size = f'{header.width} x {header.height}'
        raise _Refused(f'its header states {size} pixels, the limit is {limit}: set {MAX_PIXELS_VARIABLE} to raise it')
    return row, header


def _decoded(
    image: bytes,
    name: str,
    row: ImageFormat,
    header: ImageHeader,
    depth: Optional[int] = None,
    dark: Optional[DarkImages] = None,
) -> np.ndarray:
    pixels = _READERS[row.reader](image, row, header)
    deep = header.bits == 16 and row.reader == 'opencv'
    if deep and pixels is not None and depth is not None:
        pixels = scaled(image, depth)
    if pixels is None:
        raise _Refused(f'a damaged image ({len(image)} bytes)')
    if deep and dark is not None and depth is None:
        bits = few_bits(image, pixels)
        if bits:
            dark.add(name, bits)
    return pixels


def _jpeg(image: bytes, row: ImageFormat, header: ImageHeader) -> Optional[np.ndarray]:
    return decode_jpeg(image, header)


def _opencv(image: bytes, row: ImageFormat, header: ImageHeader) -> Optional[np.ndarray]:
    if row.name == 'PNG' and b'acTL' in image:  # OpenCV 4.11 crashes in an animation whose first frame is damaged
        image = still_png(image)
    with opencv_log.silenced() if row.name == 'TIFF' else nullcontext():  # it warns of each tag of maps
        return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)


def _pillow(image: bytes, row: ImageFormat, header: ImageHeader) -> Optional[np.ndarray]:
    """Decode with Pillow's plugin of the format alone, so that no other plugin guesses at the bytes."""
    from PIL import Image, ImageOps, features

    module = row.name.lower()
    if row.name != 'GIF' and not (module in features.modules and features.check_module(module)):
        raise _Refused(f'the installed Pillow reads no {row.name}: pip install "pillow>=11.3"')
    plugin = import_module(f'PIL.{_PLUGINS[row.name]}ImagePlugin')
    Image.MAX_IMAGE_PIXELS = None  # the limit was compared with the header; Pillow warns at half of it
    try:
        with getattr(plugin, f'{_PLUGINS[row.name]}ImageFile')(io.BytesIO(image)) as opened:
            upright = opened if opened.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(opened)
            return _rgb(upright)
    except Exception:  # a plugin raises errors of many kinds for damaged bytes
        return None


def _rgb(image: Image) -> np.ndarray:
    """The pixels of an image of Pillow, converted in strips: Pillow's own copies take several times their memory."""
    image.load()
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = np.asarray(strip.convert('RGB'))
    return pixels


_ORIENTATION = 0x0112  # the tag of EXIF
_STRIP_PIXELS = 1 << 22
_PLUGINS = {'GIF': 'Gif', 'WebP': 'WebP', 'AVIF': 'Avif'}
_Reader = Callable[[bytes, ImageFormat, ImageHeader], Optional[np.ndarray]]
_READERS: Dict[str, _Reader] = {'simplejpeg': _jpeg, 'opencv': _opencv, 'pillow': _pillow}

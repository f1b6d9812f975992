"""From the bytes of an image to its pixels."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Callable, Dict, Optional, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError

from .formats import FORMAT_NAMES, ImageFormat, format_of

_Image = Union[bytes, memoryview]


def decode(image: _Image, name: str) -> np.ndarray:
    """Decode an image; of an animation, the first frame.

    Args:
        image: the bytes of an image of one of :data:`.FORMATS`.
        name: name of the image in the error message.

    Returns:
        (H, W, 3) uint8, RGB, turned as its EXIF orientation says. Transparency is left out.

    Raises:
        DataError: the image is empty, of another format, damaged or truncated.
    """
    row = format_of(image)
    try:
        pixels = None if row is None else _READERS[row.reader](image, row)
    except DataError as error:
        raise DataError(f'{name}: {error}') from None
    except cv2.error as error:  # its header states more pixels than OpenCV accepts, or than fit into memory
        raise DataError(f'{name}: OpenCV refuses the image ({error.err})') from None
    if pixels is None:
        raise DataError(f'{name}: {_fault(image, row)}')
    return pixels


def _opencv(image: _Image, row: ImageFormat) -> Optional[np.ndarray]:
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)


def _pillow(image: _Image, row: ImageFormat) -> Optional[np.ndarray]:
    """Decode with Pillow's plugin of the format alone, so that no other plugin guesses at the bytes."""
    from PIL import Image, ImageOps, features

    module = row.name.lower()
    if row.name != 'GIF' and not (module in features.modules and features.check_module(module)):
        raise DataError(f'the installed Pillow reads no {row.name}: pip install "pillow>=11.3"')
    plugin = import_module(f'PIL.{_PLUGINS[row.name]}ImagePlugin')
    try:
        with getattr(plugin, f'{_PLUGINS[row.name]}ImageFile')(io.BytesIO(image)) as opened:
            return np.array(ImageOps.exif_transpose(opened).convert('RGB'))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


_PLUGINS = {'GIF': 'Gif', 'WebP': 'WebP', 'AVIF': 'Avif'}
_READERS: Dict[str, Callable[[_Image, ImageFormat], Optional[np.ndarray]]] = {'opencv': _opencv, 'pillow': _pillow}


def _fault(image: _Image, row: Optional[ImageFormat]) -> str:
    """The reason why an image cannot be decoded."""
    begin = bytes(image[:12])
    if not begin:
        return 'the image is empty'
    if row is None:
        return f'no {FORMAT_NAMES} (it begins with {begin!r})'
    return f'a damaged image ({len(image)} bytes)'

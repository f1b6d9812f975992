"""The size of an image as it is decoded, in most cases from its header alone."""

from __future__ import annotations

from typing import Optional, Tuple, Union

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import open_regular, read_regular
from gluon_cbam.common.limits import MAX_IMAGE_BYTES
from gluon_cbam.common.types import OpenablePath

from .decoder import decode
from .formats import format_of
from .headers import Damaged, Unsupported

BEGIN = 1 << 16
"""Bytes that hold the header of nearly every JPEG."""


def image_size(image: Union[bytes, memoryview], name: str) -> Tuple[int, int]:
    """The height and width of the pixels that :func:`.decoder.decode` gives, turned as the EXIF orientation says.

    JPEG, PNG and BMP without EXIF data are not decoded: their headers state the size.

    Args:
        image: the bytes of the image.
        name: name of the image in the error message.

    Returns:
        (height, width) in pixels.

    Raises:
        DataError: the bytes are of no format that is read, or the header is damaged.
    """
    encoded = bytes(image)
    row = format_of(encoded)
    if row is None or not row.packed_as_is:
        return decode(encoded, name).shape[:2]
    try:
        header = row.header(encoded)
    except (Damaged, Unsupported) as error:
        raise DataError(f'{name}: a damaged image ({len(encoded)} bytes): {error}') from None
    if not row.states_size(header):
        return decode(encoded, name).shape[:2]
    return header.height, header.width


def image_file_size(path: OpenablePath) -> Tuple[int, int]:
    """The size of an image in a file, see :func:`image_size`; of a JPEG without EXIF data, its beginning is read.

    Args:
        path: path of the file.

    Returns:
        (height, width) in pixels.

    Raises:
        DataError: see :func:`image_size`; or the file is no regular one, or too large.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        size = size_in_begin(file.read(BEGIN))
    return size or image_size(read_regular(path, MAX_IMAGE_BYTES), str(path))


def size_in_begin(begin: bytes) -> Optional[Tuple[int, int]]:
    """The size of a JPEG from its first bytes; whether the rest is intact is not known then.

    Args:
        begin: the first :data:`BEGIN` bytes, or all.

    Returns:
        (height, width) in pixels; None where more must be read: the header is longer, EXIF data may turn the image, or
        the format is another.
    """
    row = format_of(begin)
    if row is None or row.name != 'JPEG':
        return None
    try:
        header = row.header(begin)
    except Damaged:  # perhaps by being cut
        return None
    return (header.height, header.width) if header.upright else None

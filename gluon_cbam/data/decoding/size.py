"""The size of an image as it is decoded, in most cases from its header alone."""

from __future__ import annotations

from typing import Tuple, Union

from gluon_cbam.common.errors import DataError

from .decoder import decode
from .formats import format_of
from .headers import Damaged, Unsupported

_PNG_EXIF = b'eXIf'


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
    if not header.upright or (row.name == 'PNG' and _PNG_EXIF in encoded):
        return decode(encoded, name).shape[:2]
    return header.height, header.width

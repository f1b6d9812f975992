"""The size of the images that a network takes: a number of pixels for squares, else height and width.

Settings, cards and exported files write a square as a number, as they did before other sizes were supported, and other
sizes as a list of height and width.
"""

from __future__ import annotations

from typing import Any, Tuple, Union

from .errors import UsageError
from .limits import MAX_IMAGE_SIZE
from .quoting import shown

ImageSize = Union[int, Tuple[int, int]]
"""The side of a square in pixels; or height and width, which differ."""


def image_size_of(value: Any, name: str = 'image_size') -> ImageSize:
    """Check an image size.

    Args:
        value: an integer, or a list or tuple of height and width.
        name: the name of the value, for messages.

    Returns:
        The size; an integer where height and width are equal.

    Raises:
        UsageError: it is something else, or a side is not in 1..:data:`.limits.MAX_IMAGE_SIZE`.
    """
    sides = value if isinstance(value, (list, tuple)) else (value, value)
    if len(sides) != 2:
        raise _no_size(value, name)
    for side in sides:
        if not isinstance(side, int) or isinstance(side, bool) or side < 1:
            raise UsageError(f'{name} must be a positive number of pixels, got {shown(value)}')
        if side > MAX_IMAGE_SIZE:
            raise UsageError(f'{name} must be at most {MAX_IMAGE_SIZE} pixels, got {shown(value)}')
    height, width = sides
    return height if height == width else (height, width)


def parse_image_size(value: Any, name: str = 'image_size') -> ImageSize:
    """Read an image size as users write it.

    Args:
        value: text such as ``224`` or ``32,64``, height and width; or what :func:`image_size_of` takes.
        name: the name of the value, for messages.

    Returns:
        See :func:`image_size_of`.

    Raises:
        UsageError: see :func:`image_size_of`.
    """
    if not isinstance(value, str):
        return image_size_of(value, name)
    try:
        sides = [int(part) for part in value.split(',')]
    except ValueError:
        raise _no_size(value, name) from None
    return image_size_of(sides[0] if len(sides) == 1 else sides, name)


def _no_size(value: Any, name: str) -> UsageError:
    return UsageError(f'{name} must be one number of pixels, or height and width such as 32,64, got {shown(value)}')


def height_width(size: ImageSize) -> Tuple[int, int]:
    """Height and width in pixels."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def square_side(size: ImageSize, what: str) -> int:
    """The side of square images.

    Args:
        size: their size.
        what: what needs squares, for the message.

    Returns:
        The side, in pixels.

    Raises:
        UsageError: height and width differ.
    """
    if isinstance(size, int):
        return size
    raise UsageError(f'{what} takes square images, got image_size {image_size_text(size)}: give one number of pixels')


def image_size_text(size: ImageSize) -> str:
    """An image size as the command line takes it: ``224`` or ``32,64``."""
    height, width = height_width(size)
    return str(height) if height == width else f'{height},{width}'


def shown_image_size(size: ImageSize) -> str:
    """An image size for messages: ``224 x 224`` or ``32 x 64 (height x width)``."""
    height, width = height_width(size)
    return f'{height} x {width}' + ('' if height == width else ' (height x width)')

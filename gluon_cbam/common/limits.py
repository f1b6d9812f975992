"""Limits on what files and arguments may ask for, so that none of them fills the memory."""

from __future__ import annotations

import os
from functools import lru_cache

from .errors import UsageError

MAX_CLASSES = 1 << 24
"""The largest number of classes, and of outputs of a network: float32, the type of labels, represents all indices."""
MAX_IMAGE_SIZE = 4096
"""The largest height and width of the input of a network, in pixels."""
MAX_IMAGE_BYTES = 1 << 29
"""The largest size of an encoded image in bytes: a record cannot hold more."""
MAX_PIXELS = 2 * (1 << 30) // 4 // 3
"""The default of :func:`max_pixels`, 178,956,970: where Pillow raises an error about a decompression bomb."""
MAX_PIXELS_VARIABLE = 'CBAM_MAX_PIXELS'
"""The variable of the environment that holds another limit."""


@lru_cache(maxsize=None)
def max_pixels() -> int:
    """The largest number of pixels that an image may have; the environment is read once.

    Returns:
        The value of ``CBAM_MAX_PIXELS`` in the environment; :data:`MAX_PIXELS` where it is not set.

    Raises:
        UsageError: the variable is not a positive whole number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if not text:
        return MAX_PIXELS
    if not (text.isascii() and text.isdigit() and int(text[:20])):
        raise UsageError(
            f'{MAX_PIXELS_VARIABLE} in the environment must be a positive number of pixels, got {text[:40]!r}'
        )
    return int(text[:20])

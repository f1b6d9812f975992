"""The limit on the number of pixels of an image."""

from __future__ import annotations

import os
from functools import lru_cache

from gluon_cbam.common.errors import UsageError

MAX_PIXELS = 2 * (1 << 30) // 4 // 3
"""The default, 178,956,970: where Pillow raises an error about a decompression bomb."""
VARIABLE = 'CBAM_MAX_PIXELS'
"""The variable of the environment that holds another limit."""


@lru_cache(maxsize=None)
def max_pixels() -> int:
    """The largest number of pixels that an image may have; the environment is read once.

    Returns:
        The value of ``CBAM_MAX_PIXELS`` in the environment; :data:`MAX_PIXELS` where it is not set.

    Raises:
        UsageError: the variable is not a positive whole number.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return MAX_PIXELS
    if not (text.isascii() and text.isdigit() and int(text[:20])):
        raise UsageError(f'{VARIABLE} in the environment must be a positive number of pixels, got {text[:40]!r}')
    return int(text[:20])

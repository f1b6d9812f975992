"""The log that OpenCV writes to the standard error stream."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import cv2

_SILENT = 0

_set_level = getattr(cv2.utils, 'logging', cv2).setLogLevel  # OpenCV 5 has moved it to cv2.utils.logging


def silence() -> None:
    """Switch the log off for the rest of the process."""
    _set_level(_SILENT)


@contextmanager
def silenced() -> Iterator[None]:
    """Switch the log off for a block."""
    level = _set_level(_SILENT)
    try:
        yield
    finally:
        _set_level(level)

"""Truncated images, which importing gluoncv lets Pillow read in all of the process."""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import Iterator

MODULES = ('gluoncv.data.mhp',)
"""The module of gluoncv 0.10.5 that sets ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES``, for one of its data sets."""


@contextmanager
def refused(module: ModuleType) -> Iterator[None]:
    """Keep Pillow's setting: with it, half of a GIF file is read without an error.

    Who reads MHP, gluoncv's data set with such files, sets it in the program.

    Args:
        module: one of :data:`MODULES`.
    """
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before

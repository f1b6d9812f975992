"""Colors of classes: the palette of Pascal VOC, for masks that are looked at, and PNGs that carry it."""

from __future__ import annotations

import io

import numpy as np


def palette() -> np.ndarray:
    """The color of each value of a mask: (256, 3) uint8 RGB.

    The bits of a value are dealt out to the high bits of R, G and B in turn, as in Pascal VOC's development kit
    (VOCcode/VOClabelcolormap.m): 0 is black, 1 dark red, and 255 nearly white.
    """
    values = np.arange(256)
    colors = np.zeros((256, 3), np.int64)
    for place in range(8):
        for channel in range(3):
            colors[:, channel] |= (values >> (3 * place + channel) & 1) << (7 - place)
    return colors.astype(np.uint8)


def encode_with_palette(mask: np.ndarray) -> bytes:
    """A PNG whose pixels are the values of a mask as indices of :func:`palette`, so that it can be looked at.

    Args:
        mask: (H, W) uint8.
    """
    from PIL import Image

    image = Image.frombytes('P', mask.shape[::-1], mask.tobytes())
    image.putpalette(palette().tobytes())
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()

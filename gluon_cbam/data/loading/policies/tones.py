"""Operations that give each value of a channel another one, as Pillow's ``ImageOps`` has them, exactly.

Each takes and returns (H, W, C) uint8.
"""

from __future__ import annotations

import cv2
import numpy as np

_VALUES = np.arange(256)


def invert(pixels: np.ndarray) -> np.ndarray:
    """255 minus each value."""
    return ~pixels


def posterize(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Keep the highest bits of each value.

    Args:
        pixels: the image.
        bits: how many bits are kept, in 0..8; 0, which newer versions of Pillow refuse, makes the image black.

    Returns:
        The image.
    """
    return pixels & np.uint8(0x100 - (1 << (8 - bits)))


def solarize(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """Invert the values that are not below a threshold; 256 inverts none."""
    return look_up(pixels, np.where(threshold > _VALUES, _VALUES, 255 - _VALUES))


def solarize_add(pixels: np.ndarray, added: int) -> np.ndarray:
    """Add a number to the values below 128, as timm's ``solarize_add``; the sum is at most 255."""
    return look_up(pixels, np.where(_VALUES < 128, np.minimum(_VALUES + added, 255), _VALUES))


def autocontrast(pixels: np.ndarray) -> np.ndarray:
    """Scale the values of each channel so that they are in 0..255; a channel of one value stays."""
    tables = []
    for channel in cv2.split(pixels):
        low, high, _, _ = cv2.minMaxLoc(channel)
        scale = 255.0 / (high - low) if high > low else 1.0
        offset = -low * scale if high > low else 0.0
        tables.append(np.clip((_VALUES * scale + offset).astype(np.int64), 0, 255))
    return look_up(pixels, *tables)


def equalize(pixels: np.ndarray) -> np.ndarray:
    """Give each channel a histogram that is as flat as a map of its values allows; a channel of one value stays."""
    return look_up(pixels, *(_flat(pixels, channel) for channel in range(pixels.shape[2])))


def _flat(pixels: np.ndarray, channel: int) -> np.ndarray:
    """The table of :func:`equalize` of a channel."""
    counts = cv2.calcHist([pixels], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
    step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
    if step == 0:
        return _VALUES
    below = np.cumsum(counts) - counts
    return np.minimum((step // 2 + below) // step, 255)


def look_up(pixels: np.ndarray, *tables: np.ndarray) -> np.ndarray:
    """Replace values by those of tables.

    Args:
        pixels: the image.
        *tables: (256,) numbers in 0..255, one table for all channels or one for each.

    Returns:
        The image.
    """
    table = np.stack(tables, axis=-1).astype(np.uint8)[None]  # (1, 256, tables)
    return cv2.LUT(pixels, table).reshape(pixels.shape)

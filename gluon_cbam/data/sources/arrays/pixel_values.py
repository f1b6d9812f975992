"""Values of any number type as pixels of 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError

_GROUP = 1024  # images that are converted at a time


def to_pixels(values: np.ndarray, value_range: Optional[Tuple[float, float]], path: Path) -> np.ndarray:
    """Convert the values of images.

    Args:
        values: (N, ...) of any integers or floating point numbers.
        value_range: the values that become 0 and 255, between which others are scaled and rounded; by default, the
            values are taken as they are.
        path: path of their file, for messages.

    Returns:
        The pixels, uint8 of the same shape; bytes are not copied.

    Raises:
        UsageError: the range is none.
        DataError: values are not finite, or outside the range; or without one, no whole numbers in 0..255, or of
            another type than bytes and 0 and 1 alone, which would be almost black.
    """
    if value_range is not None and not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise UsageError(f'--value-range takes two finite numbers, the lower first, got {value_range}')
    if values.dtype == np.uint8 and value_range is None:
        return values
    low, high = values.min(), values.max()
    if not np.isfinite(low) or not np.isfinite(high):
        raise DataError(f'{path}: values that are not finite are no pixels')
    if value_range is not None and not value_range[0] <= low <= high <= value_range[1]:
        raise DataError(
            f'{path}: values in {low:g}..{high:g} are outside --value-range {value_range[0]:g} {value_range[1]:g}'
        )
    if value_range is None and not 0 <= low <= high <= 255:
        raise DataError(f'{path}: values in {low:g}..{high:g} are no pixels, 0..255: {_REMEDY}')
    if value_range is None and high <= 1:
        raise DataError(f'{path}: values in {low:g}..{high:g} would be almost black, pixels are in 0..255: {_REMEDY}')
    pixels = np.empty(values.shape, np.uint8)
    for begin in range(0, len(values), _GROUP):
        group = values[begin : begin + _GROUP]
        if value_range is None and (group != np.floor(group)).any():
            raise DataError(f'{path}: values that are not whole are no pixels, 0..255: {_REMEDY}')
        bottom, top = value_range or (0, 255)
        scaled = (group.astype(np.float64) - bottom) * (255 / (top - bottom))
        pixels[begin : begin + _GROUP] = np.round(scaled)
    return pixels


_REMEDY = 'give those that mean black and white with --value-range LOW HIGH'

"""The values of the pixels of a mask."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

IGNORED = 255
"""The value of a pixel that does not count, in training and in scores."""
MOST_CLASSES = IGNORED
"""The largest number of classes: their values are 0 .. 254."""


def counts_of(mask: np.ndarray) -> np.ndarray:
    """How many pixels have each value: (256,) int64.

    Args:
        mask: (H, W) uint8.
    """
    return np.bincount(mask.ravel(), minlength=256)


def largest_class(counts: np.ndarray) -> int:
    """The largest class that occurs; -1 if all pixels are ignored.

    Args:
        counts: see :func:`counts_of`.
    """
    found = np.flatnonzero(counts[:IGNORED])
    return int(found[-1]) if len(found) else -1


def no_classes(counts: np.ndarray, classes: Optional[int]) -> List[Tuple[int, int]]:
    """The values that are neither a class nor ignored, with their numbers of pixels.

    Args:
        counts: see :func:`counts_of`.
        classes: number of classes; None for any.
    """
    begin = IGNORED if classes is None else classes
    return [(begin + int(value), int(counts[begin + value])) for value in np.flatnonzero(counts[begin:IGNORED])]

"""Choosing pictures to look at."""

from __future__ import annotations

from typing import List

import numpy as np

from .sets import BoxPart


def sampled_pictures(part: BoxPart, count: int, seed: int = 0) -> List[int]:
    """Choose pictures of a part at random.

    Args:
        part: the part.
        count: how many, or all where there are fewer.
        seed: random seed.

    Returns:
        Their indices, sorted.
    """
    chosen = np.random.RandomState(seed).permutation(len(part.columns))[:count]
    return sorted(chosen.tolist())

"""Heat maps that know nothing of the image: what maps have to beat."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np

_CELLS = 8  # a side of a random map, which is about as coarse as a network's
_SPREAD = 1 / 4  # standard deviation of the bump in the middle, as a share of the side


def _uniform(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    return np.ones((count, *size))


def _random(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    return random.uniform(size=(count, _CELLS, _CELLS))


def _centre(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    down, right = (np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * _SPREAD**2)) for side in size)
    return np.broadcast_to(np.outer(down, right), (count, *size))


CHANCE: Dict[str, Callable[[int, Tuple[int, int], np.random.RandomState], np.ndarray]] = {
    'uniform': _uniform,
    'random': _random,
    'centre': _centre,
}
"""Name -> function of the number of maps, the images' height and width, and random numbers that gives (N, h, w).

``uniform`` has one value everywhere, ``random`` is 8 x 8 independent values, ``centre`` a Gaussian bump in the middle
of the image.
"""

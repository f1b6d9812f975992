"""Heat maps that ignore the image: the baselines of the localization metrics."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np

_CELLS = 8  # side of a random map, about as coarse as a network's
_SIGMA = 1 / 4  # standard deviation of the Gaussian in the center, as a fraction of the side


def _uniform(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    return np.ones((count, *size))


def _random(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    return random.uniform(size=(count, _CELLS, _CELLS))


def _center(count: int, size: Tuple[int, int], random: np.random.RandomState) -> np.ndarray:
    rows, columns = (np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * _SIGMA**2)) for side in size)
    return np.broadcast_to(np.outer(rows, columns), (count, *size))


BASELINES: Dict[str, Callable[[int, Tuple[int, int], np.random.RandomState], np.ndarray]] = {
    'uniform': _uniform,
    'random': _random,
    'centre': _center,  # the key is in JSON that was written
}
"""Name -> function of the number of maps, the height and width of the images, and a random generator that returns maps
(N, h, w).

``uniform`` has one value everywhere, ``random`` is 8 x 8 independent values, ``centre`` a Gaussian in the center of the
image.
"""

"""Random numbers of the augmentation."""

from __future__ import annotations

import numpy as np


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in low .. high."""
    return low + (high - low) * rng.random()


def up_to(rng: np.random.Generator, largest: int) -> int:
    """An integer in 0 .. ``largest``."""
    return int(rng.random() * (largest + 1))


def happens(rng: np.random.Generator, probability: float = 0.5) -> bool:
    """Whether something of a probability happens."""
    return bool(rng.random() < probability)

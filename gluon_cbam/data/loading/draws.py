"""Random numbers of the augmentation."""

from __future__ import annotations

import threading
from typing import Any, Dict, List

import numpy as np


class PositionedGenerators:
    """Generators of random numbers, one for each position; Philox is counter-based: any position costs the same.

    A new generator takes 9 microseconds, as NumPy asks the system for a seed even where a key is given; moving one to
    another position takes one. Each thread therefore has a few, which it moves.

    Args:
        key: the two numbers of the key.
        purpose: number of the kind of use; each has other streams.
    """

    def __init__(self, key: Any, purpose: int) -> None:
        self._key, self._purpose = key, purpose
        self._of_thread = _OfThread(self.new(0))

    def new(self, position: int) -> np.random.Generator:
        """A generator at a position, which stays there."""
        return np.random.Generator(np.random.Philox(key=self._key, counter=(0, position, self._purpose, 0)))

    def moved(self, number: int, position: int) -> np.random.Generator:
        """One of the generators of this thread, moved to the begin of the stream of a position.

        Args:
            number: which one, from 0; few, as each is kept. It must not be in use for an earlier position.
            position: the position.
        """
        mine = self._of_thread
        while len(mine.generators) <= number:
            mine.generators.append(self.new(0))
        mine.begin['state']['counter'][1] = position
        mine.generators[number].bit_generator.state = mine.begin
        return mine.generators[number]


class _OfThread(threading.local):
    """The generators of a thread, and the state at the begin of a stream."""

    def __init__(self, begin: np.random.Generator) -> None:
        self.generators: List[np.random.Generator] = []
        self.begin: Dict[str, Any] = dict(begin.bit_generator.state)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in low .. high."""
    return low + (high - low) * rng.random()


def up_to(rng: np.random.Generator, largest: int) -> int:
    """An integer in 0 .. ``largest``."""
    return int(rng.random() * (largest + 1))


def happens(rng: np.random.Generator, probability: float = 0.5) -> bool:
    """Whether something of a probability happens."""
    return bool(rng.random() < probability)

"""Pairs of pictures drawn from a set of faces in records, for verification."""

from __future__ import annotations

from typing import Callable, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError

_Draw = Callable[[int], np.ndarray]  # number -> as many pairs, (n, 2)


def draw_pairs(labels: np.ndarray, pairs: int, folds: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draw pairs at random, each at most once: for each fold as many pairs of one identity, then of two.

    Both kinds are uniform over all such pairs. Identities occur in several folds.

    Args:
        labels: (N,) int64, the identity of each picture.
        pairs: number of pairs of each kind in a fold.
        folds: number of folds.
        seed: random seed.

    Returns:
        (P, 2) int64 pairs of pictures and (P,) bool whether they are of one identity, P = 2 x pairs x folds.

    Raises:
        UsageError: the set has too few pairs of a kind: it must have twice as many as are drawn.
    """
    random = np.random.RandomState(seed)
    order = np.argsort(labels, kind='stable')
    counts = np.unique(labels, return_counts=True)[1]
    of_one = counts * (counts - 1) // 2
    available = {'one identity': int(of_one.sum()), 'two identities': len(labels) * (len(labels) - 1) // 2}
    available['two identities'] -= available['one identity']
    for kind, number in available.items():
        if 2 * pairs * folds > number:
            raise UsageError(
                f'{pairs} pairs in each of {folds} folds are {pairs * folds} of {kind}, at most half of the {number} '
                'that the set has'
            )
    starts, shares = np.cumsum(counts) - counts, of_one / of_one.sum()

    def same(number: int) -> np.ndarray:
        chosen = random.choice(len(counts), number, p=shares)
        first = random.randint(0, counts[chosen])
        second = (first + random.randint(1, counts[chosen])) % counts[chosen]
        return order[starts[chosen][:, None] + np.column_stack([first, second])]

    def different(number: int) -> np.ndarray:
        drawn = random.randint(0, len(labels), (number, 2))
        return drawn[labels[drawn[:, 0]] != labels[drawn[:, 1]]]

    kinds = [_distinct(draw, pairs * folds, len(labels)).reshape(folds, pairs, 2) for draw in (same, different)]
    flags = np.tile(np.repeat([True, False], pairs), folds)
    return np.concatenate(kinds, axis=1).reshape(-1, 2), flags


def _distinct(draw: _Draw, count: int, pictures: int) -> np.ndarray:
    """Draw until there are as many different pairs, in the order in which they were drawn: (count, 2) int64."""
    found = np.empty((0, 2), np.int64)
    while len(found) < count:
        found = np.concatenate([found, draw(2 * count + 16)])
        ordered = np.sort(found, axis=1)
        firsts = np.unique(ordered[:, 0] * pictures + ordered[:, 1], return_index=True)[1]
        found = found[np.sort(firsts)]
    return found[:count]

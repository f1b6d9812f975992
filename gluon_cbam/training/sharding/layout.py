"""Which classes a shard has, and the first values of their rows."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

_BLOCK = 1024  # rows that are drawn from one seed


class ClassRange(NamedTuple):
    """The classes of a shard: ``first`` up to, but without, ``end``."""

    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


def class_ranges(classes: int, shards: int) -> List[ClassRange]:
    """Divide classes into contiguous ranges, whose sizes differ by 1 at most.

    Args:
        classes: the number of classes.
        shards: the number of shards, in the order of ranks and, within a process, of devices.
    """
    size, rest = divmod(classes, shards)
    ends = [(number + 1) * size + min(number + 1, rest) for number in range(shards)]
    return [ClassRange(first, end) for first, end in zip([0, *ends], ends)]


def first_rows(
    entropy: Sequence[int], first: int, end: int, width: int, deviation: float
) -> Iterator[Tuple[int, np.ndarray]]:
    """Draw the first values of rows of a weight, which do not depend on how it is sharded.

    Args:
        entropy: what the values depend on: the seed of the run, and the number of the parameter.
        first: the first row.
        end: the row after the last one.
        width: values of a row.
        deviation: the standard deviation of the normal distribution.

    Yields:
        Blocks of rows in their order: the number of the first one, and the values, (n, width) float32.
    """
    for block in range(first // _BLOCK, -(-end // _BLOCK)):
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, block])))
        rows = random.standard_normal((_BLOCK, width), np.float32) * np.float32(deviation)
        begin = block * _BLOCK
        kept = rows[max(first - begin, 0) : end - begin]
        yield max(first, begin), kept

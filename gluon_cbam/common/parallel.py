"""Results that a pool computes in advance, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor
from itertools import islice
from typing import Callable, Generator, Iterable, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


def ordered_map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], prefetch: int, group_size: int = 1
) -> Generator[Result, None, None]:
    """Apply a function to every item in a pool; at most ``prefetch`` results are computed or wait at a time.

    ``Executor.map`` submits all items at once: with a million images, it would hold them all.

    Args:
        pool: that computes.
        function: of an item.
        items: any number of them; they are read as the results are consumed.
        prefetch: number of results that are computed in advance.
        group_size: number of results that the consumer needs together. The last of a group is waited for first, so that
            the consumer wakes up once for the group and not for each result, which would take time from the pool.

    Yields:
        The results in the order of the items.
    """
    waiting = iter(items)
    pending = deque(pool.submit(function, item) for item in islice(waiting, prefetch))
    try:
        while pending:
            group = min(group_size, len(pending))
            pending[group - 1].exception()  # waits; an error is raised by result()
            for _ in range(group):
                result = pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(waiting, 1))
                yield result
    finally:
        for future in pending:
            future.cancel()

"""A map over a thread or process pool: results in order, prefetched, in bounded memory."""

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
    """Apply a function to every item in a pool; at most ``prefetch`` results are pending at a time.

    ``Executor.map`` submits all items at once: with a million images, it would hold them all.

    Args:
        pool: the thread or process pool.
        function: called with each item, in the pool.
        items: the arguments; they are read lazily, as the results are consumed.
        prefetch: maximum number of results that are computed in advance.
        group_size: number of results that the consumer needs together; default 1. The last result of a group is awaited
            first, so that the consumer wakes up once a group: waking up for each result would take time from the pool.

    Yields:
        The results in the order of the items.

    Raises:
        Exception: the error that the function raised, in place of its result.
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

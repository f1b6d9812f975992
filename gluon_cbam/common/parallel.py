"""Pools of processes, and a map over a pool: results in order, prefetched, in bounded memory."""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import islice
from multiprocessing.context import BaseContext
from typing import Callable, Generator, Iterable, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


def process_context() -> BaseContext:
    """How to start processes: by a fork on Linux unless the user chose ``spawn``; elsewhere by the default of Python.

    Since Python 3.14, the default on Linux is a server that imports the program again in each process: a script without
    ``if __name__ == '__main__'`` would end with BrokenProcessPool.
    """
    if sys.platform == 'linux' and multiprocessing.get_start_method(allow_none=True) != 'spawn':
        return multiprocessing.get_context('fork')
    return multiprocessing.get_context()


def process_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of processes that are started as :func:`process_context` says.

    Args:
        workers: number of processes.
    """
    return ProcessPoolExecutor(workers, mp_context=process_context())


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

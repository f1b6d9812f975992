"""Work done ahead by a pool, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice
from typing import Callable, Iterable, Iterator, TypeVar

import cv2

Item = TypeVar('Item')
Result = TypeVar('Result')


def image_threads(workers: int) -> ThreadPoolExecutor:
    """Threads that decode and resize images. OpenCV lets go of Python's lock meanwhile, so that they run side by side.

    OpenCV's own threads, which would only stand in their way, are switched off in this process.
    """
    cv2.setNumThreads(1)
    return ThreadPoolExecutor(workers, thread_name_prefix='images')


def ordered_map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """``function`` of every item, in order, with at most ``ahead`` results computed or waiting at a time.

    ``Executor.map`` submits everything at once: on a million images it would hold them all.
    """
    waiting = iter(items)
    pending = deque(pool.submit(function, item) for item in islice(waiting, ahead))
    try:
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(waiting, 1))
            yield result
    finally:
        for future in pending:
            future.cancel()

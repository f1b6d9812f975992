"""Work done ahead by a pool, in order and in bounded memory."""

from __future__ import annotations

import ctypes
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import Callable, Iterable, Iterator, TypeVar

import cv2

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
Item = TypeVar('Item')
Result = TypeVar('Result')


def image_threads(workers: int) -> ThreadPoolExecutor:
    """Threads that decode and resize images. OpenCV lets go of Python's lock meanwhile, so that they run side by side.

    OpenCV's own threads, which would only stand in their way, are switched off in this process, and so is its log,
    which would tell of damaged images beside the errors of :func:`.preprocessing.decode`.
    """
    cv2.setNumThreads(1)
    cv2.setLogLevel(0)
    _keep_freed_memory()
    return ThreadPoolExecutor(workers, thread_name_prefix='images')


@lru_cache(maxsize=None)
def _keep_freed_memory() -> None:
    """Have glibc keep what images leave free, instead of giving it back to the system and asking for it again.

    That was 300 page faults an image of 500 x 375 pixels, and up to a third of its time (measured on a virtual
    machine). The thresholds are those that glibc comes to by itself once a block of 32 MiB was freed.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt:  # no other C library has it
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 64 << 20)


def ordered_map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int, together: int = 1
) -> Iterator[Result]:
    """``function`` of every item, in order, with at most ``ahead`` results computed or waiting at a time.

    ``Executor.map`` submits everything at once: on a million images it would hold them all.

    Args:
        pool: that computes.
        function: of an item.
        items: any number.
        ahead: how many results.
        together: how many results are taken at a time: the last of them is waited for first, so that who takes them is
            woken once and not for each, which takes time from the pool's threads.
    """
    waiting = iter(items)
    pending = deque(pool.submit(function, item) for item in islice(waiting, ahead))
    try:
        while pending:
            group = min(together, len(pending))
            pending[group - 1].exception()  # waits, and leaves it to the result to raise
            for _ in range(group):
                result = pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(waiting, 1))
                yield result
    finally:
        for future in pending:
            future.cancel()

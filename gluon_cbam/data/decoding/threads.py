"""The pool of threads that decodes images."""

from __future__ import annotations

import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import cv2

from . import opencv_log

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def image_threads(workers: int) -> ThreadPoolExecutor:
    """A pool of threads that decode and resize images; OpenCV releases the GIL, so that they run in parallel.

    This changes settings of the whole process: OpenCV's own threads, which would compete with the pool, are switched
    off; OpenCV's log, which would report damaged images a second time, is switched off; and glibc keeps freed memory
    for the next image.

    Args:
        workers: number of threads.

    Returns:
        The pool. The caller shuts it down.
    """
    cv2.setNumThreads(1)
    opencv_log.silence()
    _keep_freed_memory()
    return ThreadPoolExecutor(workers, thread_name_prefix='images')


@lru_cache(maxsize=None)
def _keep_freed_memory() -> None:
    """Let glibc keep the memory that images free, instead of returning it to the system and requesting it again.

    Returning it cost 300 page faults for an image of 500 x 375 pixels, and up to a third of the decoding time
    (measured on a virtual machine). glibc sets the same thresholds itself after a block of 32 MiB was freed.
    """
    if not sys.platform.startswith('linux'):  # Windows does not even open the program itself as a library
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt:  # other C libraries do not have it
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 64 << 20)

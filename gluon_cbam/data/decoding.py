"""Decoding of images, and the pool of threads that decodes many."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError

# the formats that MXNet's own decoder reads as well; it does not read WebP
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG', b'BM')
_SIGNATURE_LENGTH = max(map(len, _SIGNATURES))
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def decode(image: Union[bytes, memoryview], name: str) -> np.ndarray:
    """Decode an image.

    Args:
        image: an encoded JPEG, PNG or BMP.
        name: name of the image in the error message.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: the image is empty, of another format, damaged or truncated.
    """
    pixels = None
    if bytes(image[:_SIGNATURE_LENGTH]).startswith(_SIGNATURES):
        try:
            pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)
        except cv2.error as error:  # its header states more pixels than OpenCV accepts, or than fit into memory
            raise DataError(f'{name}: OpenCV refuses the image ({error.err})') from None
    if pixels is None:
        raise DataError(f'{name}: {_fault(image)}')
    return pixels


def _fault(image: Union[bytes, memoryview]) -> str:
    """The reason why an image cannot be decoded."""
    begin = bytes(image[:12])
    if not begin:
        return 'the image is empty'
    if not begin.startswith(_SIGNATURES):
        return f'no JPEG, PNG or BMP (it begins with {begin!r})'
    return f'a damaged image ({len(image)} bytes)'


def image_threads(workers: int) -> ThreadPoolExecutor:
    """A pool of threads that decode and resize images; OpenCV releases the GIL, so that they run in parallel.

    This changes settings of the whole process: OpenCV's own threads, which would compete with the pool, are switched
    off; OpenCV's log, which would report damaged images in addition to :func:`decode`, is switched off; and glibc
    keeps freed memory for the next image.

    Args:
        workers: number of threads.

    Returns:
        The pool. The caller shuts it down.
    """
    cv2.setNumThreads(1)
    cv2.setLogLevel(0)
    _keep_freed_memory()
    return ThreadPoolExecutor(workers, thread_name_prefix='images')


@lru_cache(maxsize=None)
def _keep_freed_memory() -> None:
    """Let glibc keep the memory that images free, instead of returning it to the system and requesting it again.

    Returning it cost 300 page faults for an image of 500 x 375 pixels, and up to a third of the decoding time
    (measured on a virtual machine). glibc sets the same thresholds itself after a block of 32 MiB was freed.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt:  # other C libraries do not have it
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 64 << 20)

"""One pass over a record file: the headers in this process, the images in others at the same time."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Callable, Iterable, Iterator, Tuple, TypeVar

import numpy as np

from gluon_cbam.common.parallel import ordered_map

from .format import Chunk, scan

Result = TypeVar('Result')
RecordsFunction = Callable[[str, np.ndarray], Result]
"""A function of a file's path and the (n,) int64 offsets of some of its records; it runs in another process."""


def map_chunks(path: Path, function: RecordsFunction[Result], workers: int) -> Iterator[Tuple[Chunk, Result]]:
    """Scan a file, and run a function on its records while they are in the cache of the operating system.

    Args:
        path: of the file.
        function: of the records of a chunk.
        workers: number of processes; a bounded number of chunks is prefetched.

    Yields:
        The chunks of :func:`gluon_cbam.data.records.format.scan`, with the results of the function.
    """
    with open(path, 'rb') as file:
        chunks, prefetched = tee(scan(file.fileno()))
        yield from zip(chunks, map_offsets(path, (chunk.offsets for chunk in prefetched), function, workers))


def map_offsets(
    path: Path, offsets: Iterable[np.ndarray], function: RecordsFunction[Result], workers: int
) -> Iterator[Result]:
    """The results of a function of the records at some offsets, in order.

    Args:
        path: of the file.
        offsets: (n,) int64 each, in bytes; an array is the work of one process at a time.
        function: of the records at the offsets of an array.
        workers: number of processes.
    """
    with ProcessPoolExecutor(workers) as pool:
        yield from ordered_map(pool, partial(function, str(path)), offsets, prefetch=4 * workers)

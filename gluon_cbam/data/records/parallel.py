"""Parallel passes over a record file: this process reads the headers, others the images."""

from __future__ import annotations

from functools import partial
from itertools import tee
from pathlib import Path
from typing import Callable, Iterable, Iterator, Tuple, TypeVar

import numpy as np

from gluon_cbam.common.parallel import ordered_map, process_pool

from .format import Chunk, scan

Result = TypeVar('Result')
RecordsFunction = Callable[[str, np.ndarray], Result]
"""Called with the path of a file and the (n,) int64 offsets of some of its records, in another process."""


def map_chunks(
    path: Path, function: RecordsFunction[Result], workers: int, label_index: int = 0
) -> Iterator[Tuple[Chunk, Result]]:
    """Scan a file, and apply a function to its records while they are in the page cache.

    Args:
        path: path of the file.
        function: called with the records of each chunk.
        workers: number of processes; a bounded number of chunks is prefetched.
        label_index: the label of a record that the chunks have, from 0.

    Yields:
        (chunk, result of the function), the chunks as :func:`gluon_cbam.data.records.format.scan` yields them.
    """
    with open(path, 'rb') as file:
        chunks, prefetched = tee(scan(file.fileno(), label_index))
        yield from zip(chunks, map_offsets(path, (chunk.offsets for chunk in prefetched), function, workers))


def map_offsets(
    path: Path, offsets: Iterable[np.ndarray], function: RecordsFunction[Result], workers: int
) -> Iterator[Result]:
    """Apply a function to records by their offsets, in parallel.

    Args:
        path: path of the file.
        offsets: arrays of offsets in bytes, (n,) int64 each; one call of the function gets one array.
        function: called with the records of each array.
        workers: number of processes.

    Yields:
        The results, in the order of the arrays.
    """
    with process_pool(workers) as pool:
        yield from ordered_map(pool, partial(function, str(path)), offsets, prefetch=4 * workers)

"""One pass over a record file: the headers in this process, the images in others at the same time."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Callable, Iterable, Iterator, Optional, Tuple, TypeVar

import numpy as np

from gluon_cbam.common.parallel import ordered_map

from .structure import Chunk, walk

Found = TypeVar('Found')
Look = Callable[[str, np.ndarray], Found]
"""Looks into the records of a file at some offsets; run in another process."""


def inspect(path: Path, look: Optional[Look], workers: int) -> Iterator[Tuple[Chunk, Optional[Found]]]:
    """Walk a file, and look into its records while they are in the cache of the operating system.

    Args:
        path: of the file.
        look: what to do with the records of a chunk; None to walk the headers alone.
        workers: processes that look, with a bounded number of chunks ahead of what is consumed.

    Yields:
        The chunks of :func:`gluon_cbam.data.records.structure.walk`, with what was found in them.
    """
    with open(path, 'rb') as file:
        if look is None:
            yield from ((chunk, None) for chunk in walk(file.fileno()))
            return
        chunks, ahead = tee(walk(file.fileno()))
        yield from zip(chunks, look_at(path, (chunk.offsets for chunk in ahead), look, workers))


def look_at(path: Path, offsets: Iterable[np.ndarray], look: Look, workers: int) -> Iterator[Found]:
    """What is found in the records at some offsets, in order; each array is the work of one process at a time."""
    with ProcessPoolExecutor(workers) as pool:
        yield from ordered_map(pool, partial(look, str(path)), offsets, 4 * workers)

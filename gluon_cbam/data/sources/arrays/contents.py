"""Reading a file of arrays that may be compressed by gzip: it must hold as many bytes as its header states."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from typing import IO, Iterator, cast

import numpy as np

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.files import PathLike, open_regular

_GZIP = b'\x1f\x8b'
# what a compressed file may expand to: bytes, and a multiple of its size that images do not reach
_EXPANSION, _EXPANSION_RATE = 1 << 30, 250


class Contents:
    """The bytes of an open file, which are taken in order.

    Args:
        file: the file, uncompressed.
        most: the bytes that it can hold.
        what: why it cannot hold more, for messages.
    """

    def __init__(self, file: IO[bytes], most: int, what: str) -> None:
        self._file, self._most, self._what = file, most, what

    def take(self, count: int) -> np.ndarray:
        """Read bytes.

        Args:
            count: their number, which the file may state: no memory is taken for more than it can hold.

        Returns:
            (count,) uint8.

        Raises:
            Damaged: it has fewer.
        """
        if count > self._most:
            raise Damaged(f'truncated, or its header is wrong: {count} bytes must follow, and {self._what}')
        self._most -= count
        values, position = np.empty(count, np.uint8), 0
        while position < count:
            got = self._file.readinto(values[position:].data)  # type: ignore[attr-defined]  # typing.IO has no readinto
            if not got:
                raise Damaged(f'truncated: {position} of {count} bytes follow')
            position += got
        return values

    def end(self) -> None:
        """Check that nothing follows.

        Raises:
            Damaged: more bytes follow.
        """
        if self._file.read(1):
            raise Damaged('more bytes follow than its header states')


@contextmanager
def opened(path: PathLike, what: str) -> Iterator[Contents]:
    """Open a file; whether it is compressed is told from its first bytes, not from its name.

    Args:
        path: path of the file.
        what: what is wrong with a damaged one, see :func:`gluon_cbam.common.damage.reading`.

    Yields:
        Its contents.

    Raises:
        DataError: the block raises an error about the contents.
        OSError: it cannot be opened or read.
    """
    with reading(path, what), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not compressed:
            yield Contents(file, size, f'the whole file has {size}')
            return
        most = _EXPANSION + _EXPANSION_RATE * size
        with gzip.GzipFile(fileobj=file) as expanded:
            yield Contents(cast('IO[bytes]', expanded), most, f'{size} compressed bytes hold at most {most} of images')

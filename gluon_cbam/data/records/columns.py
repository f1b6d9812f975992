"""Long columns of short rows in little memory: the names and labels of a million images take tens of megabytes."""

from __future__ import annotations

import os
from array import array
from typing import Iterable, Sequence, Tuple

import numpy as np


class Rows:
    """Rows of numbers of different lengths, one behind the other in one array.

    Args:
        typecode: of the array: ``'f'`` for float32, ``'B'`` for bytes.
    """

    def __init__(self, typecode: str):
        self._values = array(typecode)
        self._ends = array('q', [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: Iterable) -> None:
        """Add a row."""
        self._values.extend(row)
        self._ends.append(len(self._values))

    def row(self, number: int) -> array:
        """A copy of a row."""
        return self._values[self._ends[number] : self._ends[number + 1]]


class Column:
    """Numbers that come in pieces, in one array that grows.

    Args:
        dtype: of the numbers.
    """

    def __init__(self, dtype):
        self._dtype = dtype
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes) // np.dtype(self._dtype).itemsize

    def append(self, part: np.ndarray) -> None:
        """Add a piece."""
        self._bytes += part.astype(self._dtype, copy=False).tobytes()

    def joined(self) -> np.ndarray:
        """All of them; the column can no longer grow."""
        return np.frombuffer(self._bytes, self._dtype)


def repeats(values: np.ndarray) -> int:
    """How many of some numbers are equal to an earlier one."""
    ordered = np.sort(values)
    return int((ordered[1:] == ordered[:-1]).sum())


class Names(Sequence[str]):
    """Strings, such as the paths of files, as the bytes that the file system has."""

    def __init__(self, names: Iterable[str] = ()):
        self._rows = Rows('B')
        for name in names:
            self.append(name)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return os.fsdecode(self._rows.row(number).tobytes())

    def append(self, name: str) -> None:
        """Add a string."""
        self._rows.append(os.fsencode(name))


class Labels(Sequence[Tuple[float, ...]]):
    """The labels of images, one or more each, as float32."""

    def __init__(self, labels: Iterable[Tuple[float, ...]] = ()):
        self._rows = Rows('f')
        for row in labels:
            self.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Tuple[float, ...]:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return tuple(self._rows.row(number))

    def append(self, row: Iterable[float]) -> None:
        """Add the labels of an image."""
        self._rows.append(row)

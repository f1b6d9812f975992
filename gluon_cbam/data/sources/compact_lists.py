"""Lists of strings and of labels in little memory: the lists of a million images take tens of megabytes."""

from __future__ import annotations

import os
from abc import abstractmethod
from array import array
from typing import Callable, Iterable, Iterator, List, Sequence, Tuple, TypeVar, Union, overload

import numpy as np

Item = TypeVar('Item')


class _CompactList(Sequence[Item]):
    """A list of short rows of numbers, stored one after the other in one array."""

    _typecode: str

    def __init__(self, items: Iterable[Item] = ()):
        self._values = array(self._typecode)
        self._ends = array('q', [0])
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> List[Item]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Item, List[Item]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._decoded(self._values[self._ends[index] : self._ends[index + 1]])

    def append(self, item: Item) -> None:
        """Add an item at the end."""
        self._values.extend(self._encoded(item))
        self._ends.append(len(self._values))

    @abstractmethod
    def _encoded(self, item: Item) -> Iterable:
        """The row of numbers that stores an item."""

    @abstractmethod
    def _decoded(self, row: array) -> Item:
        """The item that a row of numbers stores."""


def equal_names(name_of: Callable[[int], str], count: int) -> Iterator[Tuple[int, int]]:
    """Find equal names of a long list by their hashes, in little memory.

    Args:
        name_of: gives the name at a place.
        count: number of names.

    Yields:
        Two places with one name, the earlier one first.
    """
    hashes = np.fromiter((hash(name_of(place)) for place in range(count)), np.int64, count)
    order = np.argsort(hashes, kind='stable')
    equal = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    for first, second in zip(order[equal].tolist(), order[equal + 1].tolist()):
        if name_of(first) == name_of(second):
            yield first, second


class Names(_CompactList[str]):
    """Strings, such as the paths of files, stored as the bytes of the file system encoding."""

    _typecode = 'B'

    def _encoded(self, item: str) -> array:
        return array('B', os.fsencode(item))  # extending by bytes would take them one by one

    def _decoded(self, row: array) -> str:
        return os.fsdecode(row.tobytes())


class Labels(_CompactList[Tuple[float, ...]]):
    """The labels of images, one or more each, stored as float32."""

    _typecode = 'f'

    def _encoded(self, item: Tuple[float, ...]) -> Tuple[float, ...]:
        return item

    def _decoded(self, row: array) -> Tuple[float, ...]:
        return tuple(row)

"""Reading and writing RecordIO image files without MXNet.

MXNet's readers abort the process, or silently lose images, when a file is damaged. :class:`RecordFile` therefore scans
every record header before an image is read, and raises :class:`~gluon_cbam.common.errors.DataError` with the record's
number and byte offset.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Iterator, NamedTuple, Optional, Sequence, Type, Union

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path

from .format import HEADER, LENGTH, MAGIC, MAGIC_BYTES, PART, read_headers, read_payload
from .index import check_index, existing_file, index_path, read_index, rebuild_index, salvage_index

__all__ = [
    'MAGIC',
    'Record',
    'RecordFile',
    'RecordWriter',
    'index_path',
    'read_record',
    'rebuild_index',
    'salvage_index',
]


class Record(NamedTuple):
    """One image record.

    Attributes:
        labels: (n,) float32, at least one.
        id: the record's own number.
        image: the encoded image.
    """

    labels: np.ndarray
    id: int
    image: bytes


def read_record(descriptor: int, offset: int) -> Record:
    """The record at an offset that a scan of the file has found to be whole.

    Safe from several threads and after a fork: the position of the open file is not used.

    Args:
        descriptor: of the open file.
        offset: of the record, in bytes.
    """
    payload = read_payload(descriptor, offset)
    count, label, record_id, _ = HEADER.unpack_from(payload)
    labels = np.frombuffer(payload, '<f4', count, HEADER.size) if count else np.array([label], np.float32)
    return Record(labels, record_id, bytes(_image(payload)))


def _image(payload: memoryview) -> memoryview:
    """The encoded image of a record's payload, not copied."""
    count, *_ = HEADER.unpack_from(payload)
    return payload[HEADER.size + 4 * count :]


class RecordFile:
    """A ``.rec`` file whose structure was checked, with random access to its records.

    Reading is safe from several threads and after a fork: no file position is shared.

    Args:
        path: the ``.rec`` file.
        indexed: whether the ``.idx`` file is needed, and checked to list every record once.

    Raises:
        UsageError: there is no such file.
        DataError: the file or its index is damaged.
    """

    def __init__(self, path: PathLike, indexed: bool = True):
        self.path = existing_file(path)
        self._file = open(self.path, 'rb')  # noqa: SIM115 (stays open as long as the object exists)
        offsets, self.labels, self.ids = read_headers(self.path, self._file.fileno())
        self._bounds = np.append(offsets, os.fstat(self._file.fileno()).st_size)
        self._offsets = self._bounds[:-1]
        if indexed:
            check_index(self.path, read_index(self.path), self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Record:
        return read_record(self._file.fileno(), self._offsets[number])

    def image(self, number: int) -> memoryview:
        """The encoded image of a record alone, in one read and not copied: for loaders.

        Args:
            number: of the record, from 0.
        """
        begin, end = self._bounds[number : number + 2]
        return _image(read_payload(self._file.fileno(), begin, end - begin))

    def offset(self, number: int) -> int:
        """The offset of a record in the file, in bytes.

        Args:
            number: of the record, from 0.
        """
        return self._offsets[number]

    @property
    def offsets(self) -> np.ndarray:
        """(records,) int64: where each starts, in bytes."""
        return self._offsets

    def check_labels(self, classes: int) -> None:
        """Check that the first label of every record is a class.

        Args:
            classes: number of classes.

        Raises:
            DataError: a label is not an integer in 0 .. classes - 1.
        """
        labels = self.labels
        with np.errstate(invalid='ignore'):
            bad = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
        if bad.any():
            number = int(np.flatnonzero(bad)[0])
            raise DataError(
                f'{self.path}: record {number} at offset {self.offset(number)} has label {labels[number]:g}, not a '
                f'class in 0..{classes - 1} ({int(bad.sum())} of {len(self)} records): check --classes and the data'
            )


class RecordWriter:
    """Writes a ``.rec`` and its ``.idx`` under temporary names; both are renamed when the block ends without an error.

    Args:
        path: the ``.rec`` file to write.

    Example:
        >>> with RecordWriter('train.rec') as writer:
        ...     writer.write([3], open('image.png', 'rb').read())
    """

    def __init__(self, path: PathLike):
        self.path = Path(path)
        self.count = 0

    def __enter__(self) -> RecordWriter:
        with ExitStack() as stack:
            index = stack.enter_context(atomic_path(index_path(self.path)))
            record = stack.enter_context(atomic_path(self.path))
            self._index = stack.enter_context(open(index, 'w', encoding='ascii'))
            self._record = stack.enter_context(open(record, 'wb'))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> Optional[bool]:
        return self._stack.__exit__(kind, error, trace)

    def write(self, labels: Union[float, Sequence[float]], image: bytes) -> None:
        """Append a record; its key and id are its number.

        Args:
            labels: the label, or several.
            image: the encoded image, stored as it is.

        Raises:
            DataError: the image is too large for a record.
        """
        values = np.atleast_1d(np.asarray(labels, '<f4'))
        head = HEADER.pack(0, values[0], self.count, 0)
        if len(values) > 1:
            head = HEADER.pack(len(values), 0.0, self.count, 0) + values.tobytes()
        self._index.write(f'{self.count}\t{self._record.tell()}\n')
        for part in _parts(head + image):
            self._record.write(part)
        self.count += 1


def _parts(payload: bytes) -> Iterator[bytes]:
    """The parts of a record, split where the magic stands at a multiple of 4."""
    if len(payload) > LENGTH:
        raise DataError(f'an image of {len(payload)} bytes is too large for a record (at most {LENGTH})')
    pieces = list(_split_at_magic(payload))
    for number, piece in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        flag = 0 if first and last else 1 if first else 3 if last else 2
        yield PART.pack(MAGIC, flag << 29 | len(piece)) + piece + b'\0' * (-len(piece) % 4)


def _split_at_magic(payload: bytes) -> Iterator[bytes]:
    begin = search = 0
    while True:
        found = payload.find(MAGIC_BYTES, search)
        if found < 0:
            break
        search = found + 4 if found % 4 == 0 else found + 1
        if found % 4 == 0:
            yield payload[begin:found]
            begin = found + 4
    yield payload[begin:]

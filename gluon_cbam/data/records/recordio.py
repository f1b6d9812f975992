"""RecordIO image files, read and written without MXNet.

MXNet's readers abort the process, or silently lose images, when a file is damaged. :class:`RecordFile` therefore walks
every record header before anybody reads images, and raises :class:`~gluon_cbam.common.errors.DataError` with the record's
number and byte offset.

The ``.idx`` file holds ``key \\t byte offset`` a line. ``structure`` describes the rest of the format.
"""

from __future__ import annotations

import os
from array import array
from contextlib import ExitStack
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path

from .columns import Column, repeats
from .structure import HEADER, LENGTH, MAGIC, MAGIC_BYTES, PART, Fault, read_payload, walk

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
        labels: float32, at least one.
        id: the record's own number.
        image: the encoded image.
    """

    labels: np.ndarray
    id: int
    image: bytes


def index_path(path: PathLike) -> Path:
    """The index beside a ``.rec`` file."""
    return Path(path).with_suffix('.idx')


def read_record(descriptor: int, offset: int) -> Record:
    """The record at an offset that a walk of the file has found to be whole.

    Safe from several threads and after a fork: the position of the open file is not used.
    """
    payload = read_payload(descriptor, offset)
    count, label, record_id, _ = HEADER.unpack_from(payload)
    labels = np.frombuffer(payload, '<f4', count, HEADER.size) if count else np.float32([label])
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
        indexed: whether the ``.idx`` beside it is needed, and checked to list every record once.

    Raises:
        UsageError: there is no such file.
        DataError: the file or its index is damaged.
    """

    def __init__(self, path: PathLike, indexed: bool = True):
        self.path = Path(path)
        if not self.path.is_file():
            raise UsageError(f'no record file {str(path)!r}')
        self._file = open(self.path, 'rb')  # noqa: SIM115 (lives as long as the object)
        offsets, self.labels, self.ids = _whole(self.path, self._file.fileno())
        self._bounds = np.append(offsets, os.fstat(self._file.fileno()).st_size)
        self._offsets = self._bounds[:-1]
        if indexed:
            compare_index(self.path, read_index(self.path), self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Record:
        return read_record(self._file.fileno(), self._offsets[number])

    def image(self, number: int) -> memoryview:
        """The encoded image of a record alone, read at once and not copied: for loaders, which want nothing else."""
        begin, end = self._bounds[number : number + 2]
        return _image(read_payload(self._file.fileno(), begin, end - begin))

    def offset(self, number: int) -> int:
        """Where a record starts, in bytes."""
        return self._offsets[number]

    @property
    def offsets(self) -> np.ndarray:
        """(records,) int64: where each starts, in bytes."""
        return self._offsets

    def check_labels(self, classes: int) -> None:
        """Check that the first label of every record is a class.

        Raises:
            DataError: a label is no whole number in 0 .. classes - 1.
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


def _whole(path: Path, descriptor: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets, first labels and ids of the records of a file without faults."""
    offsets, labels, ids = Column(np.int64), Column(np.float32), Column(np.uint64)
    for chunk in walk(descriptor):
        if chunk.faults:
            fault = chunk.faults[0]
            raise DataError(f'{path}: record {fault.number} at offset {fault.offset}: {fault.reason}')
        offsets.append(chunk.offsets)
        labels.append(chunk.labels)
        ids.append(chunk.ids)
    if not len(offsets):
        raise DataError(f'{path}: the file is empty')
    return offsets.joined(), labels.joined(), ids.joined()


class Index(NamedTuple):
    """The lines of an ``.idx`` file: int64 keys and offsets."""

    keys: np.ndarray
    offsets: np.ndarray


def compare_index(path: Path, listed: Index, offsets: np.ndarray) -> None:
    """Check that an index lists the records at ``offsets``, each once and under a key of its own.

    Raises:
        DataError: it does not.
    """
    if repeats(listed.keys):
        raise DataError(f'{index_path(path)} lists a key twice: {_remedy(path)}')
    if not np.array_equal(np.sort(listed.offsets), offsets):
        raise DataError(
            f'{index_path(path)} lists {len(listed.offsets)} records that are not the {len(offsets)} of {path}: '
            f'{_remedy(path)}'
        )


def read_index(path: PathLike) -> Index:
    """Keys and offsets in the index beside a file.

    Raises:
        DataError: there is none, or it is damaged.
    """
    index = index_path(path)
    if not index.is_file():
        raise DataError(f'{index} is missing: {_remedy(path)}')
    keys, offsets = array('q'), array('q')
    with open(index, 'rb') as file:
        for number, line in enumerate(file, 1):
            try:
                key, offset = line.split(b'\t')
                keys.append(int(key))
                offsets.append(int(offset))
            except (ValueError, OverflowError):
                raise DataError(f'{index}: line {number} is not "key <tab> offset": {_remedy(path)}') from None
    return Index(np.asarray(keys), np.asarray(offsets))


def _remedy(path: Path) -> str:
    return f"rebuild it with 'cbam data index {path}'"


class RecordWriter:
    """Writes a ``.rec`` and its ``.idx`` under temporary names; both appear under their own when the block ends well.

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

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def write(self, labels: Union[float, Sequence[float]], image: bytes) -> None:
        """Append a record; its key and id are its number.

        Args:
            labels: the label, or several.
            image: the encoded image, stored as it is.
        """
        labels = np.atleast_1d(np.asarray(labels, '<f4'))
        head = HEADER.pack(0, labels[0], self.count, 0)
        if len(labels) > 1:
            head = HEADER.pack(len(labels), 0.0, self.count, 0) + labels.tobytes()
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


def rebuild_index(path: PathLike) -> int:
    """Write the ``.idx`` of a ``.rec`` file anew; keys are the records' numbers.

    Returns:
        The number of records.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged.
    """
    records = RecordFile(path, indexed=False)
    _write_index(path, (records.offset(number) for number in range(len(records))))
    return len(records)


class Salvaged(NamedTuple):
    """What the index of a damaged file lists.

    Attributes:
        records: whole records.
        faults: places between them where none begins.
        lost: bytes of the file that belong to no whole record.
    """

    records: int
    faults: List[Fault]
    lost: int


def salvage_index(path: PathLike) -> Salvaged:
    """Write the ``.idx`` of a ``.rec`` file anew with the records whose structure is whole.

    Raises:
        UsageError: there is no such file.
        DataError: no record is whole.
    """
    if not Path(path).is_file():
        raise UsageError(f'no record file {str(path)!r}')
    offsets, faults, lost = Column(np.int64), [], Path(path).stat().st_size
    with open(path, 'rb') as file:
        for chunk in walk(file.fileno()):
            offsets.append(chunk.offsets)
            faults += chunk.faults
            lost -= chunk.stored
    if not len(offsets):
        raise DataError(f'{path}: no whole record in {lost} bytes')
    _write_index(path, offsets.joined())
    return Salvaged(len(offsets), faults, lost)


def _write_index(path: PathLike, offsets: Iterable[int]) -> None:
    with atomic_path(index_path(path)) as temporary, open(temporary, 'w', encoding='ascii') as file:
        file.writelines(f'{number}\t{offset}\n' for number, offset in enumerate(offsets))

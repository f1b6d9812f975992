"""RecordIO image files, read and written without MXNet.

MXNet's readers abort the process, or silently lose images, when a file is damaged. :class:`RecordFile` therefore walks
every record header before anybody reads images, and raises :class:`~gluon_cbam.errors.DataError` with the record's
number and byte offset.

The format (dmlc-core recordio.h, mxnet image_recordio.h): a record is one or more parts, each a little-endian uint32
magic, a uint32 of which the upper 3 bits are the continuation flag (0 whole, 1 first, 2 middle, 3 last part) and the
lower 29 the length, then the payload, padded to 4 bytes. A payload that holds the magic at a multiple of 4 is split
there, the magic left out. An image record's payload starts with uint32 flag, float label, uint64 id, uint64 id2; flag
> 0 is followed by that many float labels. The ``.idx`` file holds ``key \\t byte offset`` a line.
"""

from __future__ import annotations

import os
import struct
from array import array
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from zoo.files import PathLike, atomic_path

from ..errors import DataError, UsageError

MAGIC = 0xCED7230A
_MAGIC_BYTES = struct.pack('<I', MAGIC)
_PART = struct.Struct('<II')  # magic, flag and length
_HEADER = struct.Struct('<IfQQ')  # number of labels, label, id, id2
_LENGTH = (1 << 29) - 1
_MOST_LABELS = 1 << 16  # more than any image has: a larger flag is damage


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
        self._offsets, self.labels, self.ids = _walk(self.path, self._file.fileno())
        if indexed:
            _check_index(self.path, self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Record:
        payload = _read_payload(self._file.fileno(), self._offsets[number])
        count, label, record_id, _ = _HEADER.unpack_from(payload)
        labels = np.frombuffer(payload, '<f4', count, _HEADER.size) if count else np.float32([label])
        return Record(labels, record_id, payload[_HEADER.size + 4 * count :])

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


def _walk(path: Path, descriptor: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow the headers from the first byte to the last; offsets, first labels and ids of the records.

    One read of 36 bytes a record: nothing of the images is read.
    """
    size = os.fstat(descriptor).st_size
    offsets, labels, ids = array('q'), array('f'), array('Q')
    position = 0

    def damaged(what: str) -> DataError:
        return DataError(f'{path}: record {len(offsets)} at offset {position}: {what}')

    if size == 0:
        raise DataError(f'{path}: the file is empty')
    while position < size:
        head = os.pread(descriptor, _PART.size + _HEADER.size + 4, position)
        flag, end = _part(head, position, size, damaged)
        if flag not in (0, 1):
            raise damaged(f'a record begins with continuation flag {flag}')
        label, record_id = _image_header(head, end - position - _PART.size, damaged)
        offsets.append(position)
        labels.append(label)
        ids.append(record_id)
        position = end
        while flag in (1, 2):
            flag, position = _part(os.pread(descriptor, _PART.size, position), position, size, damaged)
            if flag not in (2, 3):
                raise damaged(f'a split record goes on with continuation flag {flag}')
    return np.asarray(offsets), np.asarray(labels), np.asarray(ids)


def _part(head: bytes, position: int, size: int, damaged) -> Tuple[int, int]:
    """Continuation flag of the part that begins with ``head``, and where the next part starts."""
    if len(head) < _PART.size:
        raise damaged(f'truncated: {len(head)} bytes where a part begins')
    magic, word = _PART.unpack_from(head)
    if magic != MAGIC:
        raise damaged(f'no record begins here (magic {magic:#010x} instead of {MAGIC:#010x})')
    end = position + _PART.size + (word & _LENGTH) + 3 & ~3
    if end > size:
        raise damaged(f'truncated: {end - size} bytes are missing')
    return word >> 29, end


def _image_header(head: bytes, room: int, damaged) -> Tuple[float, int]:
    """First label and id of a record; ``room`` bytes are in its first part."""
    if room < _HEADER.size:
        raise damaged(f'{room} bytes are too few for an image record')
    count, label, record_id, _ = _HEADER.unpack_from(head, _PART.size)
    if count > _MOST_LABELS or _HEADER.size + 4 * count > room:
        raise damaged(f'it claims {count} labels in {room} bytes')
    if count:
        (label,) = struct.unpack_from('<f', head, _PART.size + _HEADER.size)
    return label, record_id


def _read_payload(descriptor: int, position: int) -> bytes:
    parts: List[bytes] = []
    while True:
        _, word = _PART.unpack(os.pread(descriptor, _PART.size, position))
        length = word & _LENGTH
        parts.append(os.pread(descriptor, length, position + _PART.size))
        if word >> 29 in (0, 3):
            return _MAGIC_BYTES.join(parts)
        position += _PART.size + length + 3 & ~3


def _check_index(path: Path, offsets: np.ndarray) -> None:
    index = index_path(path)
    remedy = f"rebuild it with 'cbam data index {path}'"
    if not index.is_file():
        raise DataError(f'{index} is missing: {remedy}')
    try:
        keys, listed = _read_index(index)
    except ValueError as error:
        raise DataError(f'{index}: {error}: {remedy}') from None
    if len(np.unique(keys)) != len(keys):
        raise DataError(f'{index} lists a key twice: {remedy}')
    if len(listed) != len(offsets) or not np.array_equal(np.sort(listed), offsets):
        raise DataError(f'{index} lists {len(listed)} records that are not the {len(offsets)} of {path}: {remedy}')


def _read_index(index: Path) -> Tuple[np.ndarray, np.ndarray]:
    pairs = array('q')
    for number, line in enumerate(index.read_bytes().splitlines(), 1):
        try:
            key, offset = line.split(b'\t')
            pairs.append(int(key))
            pairs.append(int(offset))
        except (ValueError, OverflowError):
            raise ValueError(f'line {number} is not "key <tab> offset"') from None
    return np.asarray(pairs[::2]), np.asarray(pairs[1::2])


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
        head = _HEADER.pack(0, labels[0], self.count, 0)
        if len(labels) > 1:
            head = _HEADER.pack(len(labels), 0.0, self.count, 0) + labels.tobytes()
        self._index.write(f'{self.count}\t{self._record.tell()}\n')
        for part in _parts(head + image):
            self._record.write(part)
        self.count += 1


def _parts(payload: bytes) -> Iterator[bytes]:
    """The parts of a record, split where the magic stands at a multiple of 4."""
    if len(payload) > _LENGTH:
        raise DataError(f'an image of {len(payload)} bytes is too large for a record (at most {_LENGTH})')
    pieces = list(_split_at_magic(payload))
    for number, piece in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        flag = 0 if first and last else 1 if first else 3 if last else 2
        yield _PART.pack(MAGIC, flag << 29 | len(piece)) + piece + b'\0' * (-len(piece) % 4)


def _split_at_magic(payload: bytes) -> Iterator[bytes]:
    begin = search = 0
    while True:
        found = payload.find(_MAGIC_BYTES, search)
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
    with atomic_path(index_path(path)) as temporary, open(temporary, 'w', encoding='ascii') as file:
        file.writelines(f'{number}\t{records.offset(number)}\n' for number in range(len(records)))
    return len(records)

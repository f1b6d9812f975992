"""The RecordIO format of image records: scanning the headers of a file, and reading the payload of a record.

The format (dmlc-core recordio.h, mxnet image_recordio.h): a record is one or more parts. A part is a little-endian
uint32 magic; a uint32 with the continuation flag in the upper 3 bits (0 whole, 1 first, 2 middle, 3 last part) and the
length in the lower 29; and the payload, padded to 4 bytes. A payload that contains the magic at a multiple of 4 is
split there, and the magic is left out. The payload of an image record starts with uint32 flag, float label, uint64 id,
uint64 id2; if flag > 0, that many float labels follow.
"""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

import numpy as np

from gluon_cbam.common.descriptors import read_at
from gluon_cbam.common.errors import DataError

from .growing_array import GrowingArray

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack('<I', MAGIC)
PART = struct.Struct('<II')  # magic, flag and length
HEADER = struct.Struct('<IfQQ')  # number of labels, label, id, id2
LENGTH = (1 << 29) - 1
_WHOLE = struct.Struct(PART.format + HEADER.format[1:] + 'f')  # up to the first of several labels
MAX_LABELS = 1 << 16  # of a record; a larger flag is taken for damage
_CHUNK_RECORDS = 1024  # at most
_CHUNK_BYTES = 8 << 20  # about
_SMALL_READ, _LARGE_READ = 4 << 10, 1 << 20  # bytes


class Fault(NamedTuple):
    """An offset at which no intact record begins.

    Attributes:
        number: number of intact records before it.
        offset: the offset in bytes.
        reason: the fault, for messages.
    """

    number: int
    offset: int
    reason: str

    def error(self, path: Path) -> DataError:
        """The error for this fault of a file."""
        return DataError(f'{path}: record {self.number} at offset {self.offset}: {self.reason}')


class Chunk(NamedTuple):
    """Successive records of a file, as columns.

    Attributes:
        offsets: (n,) int64, offset of each record in bytes.
        sizes: (n,) int64, size of each encoded image in bytes.
        labels: (n,) float32, the chosen label of each record: the first, unless the scan was asked for another one; nan
            where a record has fewer.
        counts: (n,) int32, number of labels of each record, at least 1.
        ids: (n,) uint64, id of each record.
        stored: size of the records in the file, in bytes.
        end: offset at which the chunk ends, in bytes.
        faults: offsets at which no intact record begins.
    """

    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    ids: np.ndarray
    stored: int
    end: int
    faults: List[Fault]


class Headers(NamedTuple):
    """The headers of all records of a file.

    Attributes:
        offsets: (records,) int64, offset of each record in bytes.
        labels: (records,) float32, the chosen label of each record, see :class:`Chunk`.
        counts: (records,) int32, number of labels of each record, at least 1.
        ids: (records,) uint64, id of each record.
        empty: (records,) bool, whether the image of a record is empty.
    """

    offsets: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    ids: np.ndarray
    empty: np.ndarray


class HeaderColumns:
    """The headers of successive chunks, collected in little memory."""

    def __init__(self) -> None:
        types = (np.int64, np.float32, np.int32, np.uint64, bool)
        self._columns = [GrowingArray(each) for each in types]

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, chunk: Chunk) -> None:
        """Add the records of a chunk."""
        parts = (chunk.offsets, chunk.labels, chunk.counts, chunk.ids, chunk.sizes == 0)
        for column, part in zip(self._columns, parts):
            column.append(part)

    def joined(self) -> Headers:
        """The headers of all records. Nothing can be added while they are in use."""
        return Headers(*(column.joined() for column in self._columns))


class _Damaged(Exception):
    pass


def read_headers(path: Path, descriptor: int, label_index: int = 0) -> Headers:
    """Read the headers of a file without faults.

    Args:
        path: path of the file, for messages.
        descriptor: file descriptor of the open file; its position is not used.
        label_index: the label of a record that is read, from 0.

    Returns:
        The headers of all records.

    Raises:
        DataError: the file is empty or its structure is damaged; the message names the record and its offset.
    """
    columns = HeaderColumns()
    for chunk in scan(descriptor, label_index):
        if chunk.faults:
            raise chunk.faults[0].error(path)
        columns.add(chunk)
    if not len(columns):
        raise DataError(f'{path}: the file is empty')
    return columns.joined()


def scan(descriptor: int, label_index: int = 0) -> Iterator[Chunk]:
    """Read all headers of a file, in one pass and bounded memory.

    A chunk ends at a fault; the next chunk begins at the next intact record, which is searched for.

    Args:
        descriptor: file descriptor of the open file; its position is not used.
        label_index: the label of a record that is read, from 0.

    Yields:
        Records in the order of the file; the last chunk may be empty.
    """
    size = os.fstat(descriptor).st_size
    reader = _BufferedReader(descriptor)
    position = number = 0
    while position < size:
        chunk = _read_chunk(reader, position, size, number, label_index)
        number += len(chunk.offsets)
        position = chunk.end
        yield chunk
        if chunk.faults:
            position = _next_record(reader, position + 1, size)


def _read_chunk(reader: _BufferedReader, begin: int, size: int, number: int, label_index: int) -> Chunk:
    """The records from ``begin`` on, up to a fault or the size of a chunk; ``number`` is the index of the first."""
    position, stored = begin, 0
    faults: List[Fault] = []
    offsets, sizes, labels, counts, ids = array('q'), array('q'), array('f'), array('i'), array('Q')
    while position < size and len(offsets) < _CHUNK_RECORDS and position - begin < _CHUNK_BYTES:
        try:
            end, image_size, label, count, record_id = _record_header(reader, position, size, label_index)
        except _Damaged as damage:
            faults.append(Fault(number + len(offsets), position, str(damage)))
            break
        offsets.append(position)
        sizes.append(image_size)
        labels.append(label)
        counts.append(count)
        ids.append(record_id)
        stored += end - position
        position = end
    columns = [np.asarray(column) for column in (offsets, sizes, labels, counts, ids)]
    return Chunk(columns[0], columns[1], columns[2], columns[3], columns[4], stored, position, faults)


class _BufferedReader:
    """Serves small reads at increasing positions; where they are dense, from a larger block that is read once."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self._data = b''
        self._start = self._served = 0

    def read(self, length: int, position: int) -> bytes:
        """``length`` bytes at ``position``; fewer at the end of the file."""
        begin = position - self._start
        if not 0 <= begin <= len(self._data) - length:
            dense = self._served * _SMALL_READ > len(self._data)
            self._data = read_at(self.descriptor, max(length, _LARGE_READ if dense else _SMALL_READ), position)
            self._start, self._served, begin = position, 0, 0
        self._served += 1
        return self._data[begin : begin + length]


def _record_header(
    reader: _BufferedReader, position: int, size: int, label_index: int = 0
) -> Tuple[int, int, float, int, int]:
    """End of the record at ``position``, size of its image in bytes, a label, number of labels, id; raises _Damaged."""
    head = reader.read(_WHOLE.size + 4 * label_index, position)
    if len(head) >= _WHOLE.size:  # nearly all records are whole and in one part
        magic, word, count, label, record_id, _, first = _WHOLE.unpack_from(head)
        end, total = position + PART.size + (word + 3 & ~3), word - HEADER.size - 4 * count
        if magic == MAGIC and word <= LENGTH and end <= size and total >= 0 and count <= MAX_LABELS:
            if label_index:
                first = _label(head, count, label_index)
            return end, total, first if count or label_index else label, count or 1, record_id
    return _record_in_parts(reader, head, position, size, label_index)


def _record_in_parts(
    reader: _BufferedReader, head: bytes, position: int, size: int, label_index: int
) -> Tuple[int, int, float, int, int]:
    """What :func:`_record_header` returns for a record in several parts, a short one or a damaged one."""
    flag, length, end = _part(head, position, size)
    if flag not in (0, 1):
        raise _Damaged(f'a record begins with continuation flag {flag}')
    count, label, record_id = _image_header(head, length, label_index)
    total = length - HEADER.size - 4 * count
    while flag in (1, 2):
        flag, length, end = _part(reader.read(PART.size, end), end, size)
        if flag not in (2, 3):
            raise _Damaged(f'a split record continues with continuation flag {flag}')
        total += len(MAGIC_BYTES) + length
    return end, total, label, count or 1, record_id


def _part(head: bytes, position: int, size: int) -> Tuple[int, int, int]:
    """Continuation flag and length of the part that begins with ``head``, and the offset of the next part."""
    if len(head) < PART.size:
        raise _Damaged(f'truncated: {len(head)} bytes where a part begins')
    magic, word = PART.unpack_from(head)
    if magic != MAGIC:
        raise _Damaged(f'no record begins here (magic {magic:#010x} instead of {MAGIC:#010x})')
    length = word & LENGTH
    end = position + PART.size + (length + 3 & ~3)
    if end > size:
        raise _Damaged(f'truncated: {end - size} bytes are missing')
    return word >> 29, length, end


def _image_header(head: bytes, length: int, label_index: int) -> Tuple[int, float, int]:
    """Number of labels after the header, a label and id of a record with ``length`` bytes in its first part."""
    if length < HEADER.size:
        raise _Damaged(f'{length} bytes are too few for an image record')
    count, label, record_id, _ = HEADER.unpack_from(head, PART.size)
    if count > MAX_LABELS or HEADER.size + 4 * count > length:
        raise _Damaged(f'it claims {count} labels in {length} bytes')
    if count or label_index:
        label = _label(head, count, label_index)
    return count, label, record_id


def _label(head: bytes, count: int, index: int) -> float:
    """One of the ``count`` labels that follow the header; nan if there are fewer."""
    return struct.unpack_from('<f', head, PART.size + HEADER.size + 4 * index)[0] if index < count else float('nan')


def _next_record(reader: _BufferedReader, position: int, size: int) -> int:
    """The offset of the first intact record at ``position`` or after it; the end of the file if there is none."""
    while position < size:
        block = read_at(reader.descriptor, _LARGE_READ, position)
        found = block.find(MAGIC_BYTES)
        while found >= 0:
            try:
                _record_header(reader, position + found, size)
                return position + found
            except _Damaged:
                found = block.find(MAGIC_BYTES, found + 1)
        position += max(1, len(block) - len(MAGIC_BYTES) + 1)  # a magic may span two blocks
    return size


def read_payload(descriptor: int, position: int, stored: int = PART.size) -> memoryview:
    """Read the payload of an intact record.

    Args:
        descriptor: file descriptor of the open file; its position is not used.
        position: offset of the record in bytes. A scan must have found it intact.
        stored: number of bytes to read at first; default 8, the head of a part. The size of the record, if it is known,
            saves further reads.

    Returns:
        The payload: header, labels and encoded image.
    """
    parts: List[memoryview] = []
    while True:
        begin = memoryview(read_at(descriptor, stored, position))
        _, word = PART.unpack_from(begin)
        length = word & LENGTH
        part = begin[PART.size : PART.size + length]
        if len(part) < length and stored == PART.size:
            part = memoryview(read_at(descriptor, length, position + PART.size))
        parts.append(part)
        if word >> 29 in (0, 3):
            return parts[0] if len(parts) == 1 else memoryview(MAGIC_BYTES.join(parts))
        position, stored = position + PART.size + (length + 3 & ~3), PART.size

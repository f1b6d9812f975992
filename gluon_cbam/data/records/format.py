"""The RecordIO format of image records: scanning the headers of a file, and reading the payload of a record.

The format (dmlc-core recordio.h, mxnet image_recordio.h): a record is one or more parts, each a little-endian uint32
magic, a uint32 of which the upper 3 bits are the continuation flag (0 whole, 1 first, 2 middle, 3 last part) and the
lower 29 the length, then the payload, padded to 4 bytes. A payload that holds the magic at a multiple of 4 is split
there, the magic left out. An image record's payload starts with uint32 flag, float label, uint64 id, uint64 id2; flag
> 0 is followed by that many float labels.
"""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError

from .growing_array import GrowingArray

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack('<I', MAGIC)
PART = struct.Struct('<II')  # magic, flag and length
HEADER = struct.Struct('<IfQQ')  # number of labels, label, id, id2
LENGTH = (1 << 29) - 1
_HEAD = PART.size + HEADER.size + 4  # up to the first of several labels
_MAX_LABELS = 1 << 16  # more than any image has: a larger flag is damage
_CHUNK_RECORDS = 1024  # at most
_CHUNK_BYTES = 8 << 20  # about
_SMALL_READ, _LARGE_READ = 4 << 10, 1 << 20  # bytes


class Fault(NamedTuple):
    """A place where no whole record begins.

    Attributes:
        number: of the record, counting the whole ones before it.
        offset: in bytes.
        reason: what is wrong.
    """

    number: int
    offset: int
    reason: str

    def error(self, path: Path) -> DataError:
        """The error for this fault of a file."""
        return DataError(f'{path}: record {self.number} at offset {self.offset}: {self.reason}')


class Chunk(NamedTuple):
    """Successive records of a file, a row each.

    Attributes:
        offsets: (n,) int64, where each begins, in bytes.
        sizes: (n,) int64, bytes of the encoded image.
        labels: (n,) float32, the first label.
        ids: (n,) uint64.
        stored: bytes that the records take in the file.
        end: where the scan stands, in bytes.
        faults: places between the records where no whole record begins.
    """

    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    stored: int
    end: int
    faults: List[Fault]


class Headers(NamedTuple):
    """The headers of all records of a file.

    Attributes:
        offsets: (records,) int64, where each begins, in bytes.
        labels: (records,) float32, the first label.
        ids: (records,) uint64.
    """

    offsets: np.ndarray
    labels: np.ndarray
    ids: np.ndarray


class _Damaged(Exception):
    pass


def read_headers(path: Path, descriptor: int) -> Headers:
    """The headers of a file without faults.

    Args:
        path: of the file, for messages.
        descriptor: of the open file; its position is not used.

    Raises:
        DataError: the file is empty or its structure is damaged; the message names the record and its offset.
    """
    offsets, labels, ids = GrowingArray(np.int64), GrowingArray(np.float32), GrowingArray(np.uint64)
    for chunk in scan(descriptor):
        if chunk.faults:
            raise chunk.faults[0].error(path)
        offsets.append(chunk.offsets)
        labels.append(chunk.labels)
        ids.append(chunk.ids)
    if not len(offsets):
        raise DataError(f'{path}: the file is empty')
    return Headers(offsets.joined(), labels.joined(), ids.joined())


def scan(descriptor: int) -> Iterator[Chunk]:
    """Read the headers from the first byte to the last, in one pass and bounded memory.

    A chunk ends at a fault; the next chunk begins at the next whole record, which is searched for.

    Args:
        descriptor: of the open file; its position is not used.

    Yields:
        Records in the order of the file; the last chunk may be empty.
    """
    size = os.fstat(descriptor).st_size
    reader = _BufferedReader(descriptor)
    position = number = 0
    while position < size:
        chunk = _read_chunk(reader, position, size, number)
        number += len(chunk.offsets)
        position = chunk.end
        yield chunk
        if chunk.faults:
            position = _next_record(reader, position + 1, size)


def _read_chunk(reader: _BufferedReader, begin: int, size: int, number: int) -> Chunk:
    """The records from ``begin`` on, up to a fault or the size of a chunk; the first has the given number."""
    position, stored = begin, 0
    faults: List[Fault] = []
    offsets, sizes, labels, ids = array('q'), array('q'), array('f'), array('Q')
    while position < size and len(offsets) < _CHUNK_RECORDS and position - begin < _CHUNK_BYTES:
        try:
            end, image_size, label, record_id = _record_header(reader, position, size)
        except _Damaged as damage:
            faults.append(Fault(number + len(offsets), position, str(damage)))
            break
        offsets.append(position)
        sizes.append(image_size)
        labels.append(label)
        ids.append(record_id)
        stored += end - position
        position = end
    columns = [np.asarray(column) for column in (offsets, sizes, labels, ids)]
    return Chunk(columns[0], columns[1], columns[2], columns[3], stored, position, faults)


class _BufferedReader:
    """Small reads at rising positions, made of large ones where they are close to each other."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self._data = b''
        self._start = self._served = 0

    def read(self, length: int, position: int) -> bytes:
        """``length`` bytes, fewer at the end of the file."""
        begin = position - self._start
        if not 0 <= begin <= len(self._data) - length:
            dense = self._served * _SMALL_READ > len(self._data)
            self._data = os.pread(self.descriptor, _LARGE_READ if dense else _SMALL_READ, position)
            self._start, self._served, begin = position, 0, 0
        self._served += 1
        return self._data[begin : begin + length]


def _record_header(reader: _BufferedReader, position: int, size: int) -> Tuple[int, int, float, int]:
    """Where the record at ``position`` ends, bytes of its image, first label and id; raises _Damaged."""
    head = reader.read(_HEAD, position)
    flag, length, end = _part(head, position, size)
    if flag not in (0, 1):
        raise _Damaged(f'a record begins with continuation flag {flag}')
    count, label, record_id = _image_header(head, length)
    total = length - HEADER.size - 4 * count
    while flag in (1, 2):
        flag, length, end = _part(reader.read(PART.size, end), end, size)
        if flag not in (2, 3):
            raise _Damaged(f'a split record goes on with continuation flag {flag}')
        total += len(MAGIC_BYTES) + length
    return end, total, label, record_id


def _part(head: bytes, position: int, size: int) -> Tuple[int, int, int]:
    """Continuation flag and length of the part that begins with ``head``, and where the next part starts."""
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


def _image_header(head: bytes, length: int) -> Tuple[int, float, int]:
    """Number of labels behind the header, first label and id of a record with ``length`` bytes in its first part."""
    if length < HEADER.size:
        raise _Damaged(f'{length} bytes are too few for an image record')
    count, label, record_id, _ = HEADER.unpack_from(head, PART.size)
    if count > _MAX_LABELS or HEADER.size + 4 * count > length:
        raise _Damaged(f'it claims {count} labels in {length} bytes')
    if count:
        (label,) = struct.unpack_from('<f', head, PART.size + HEADER.size)
    return count, label, record_id


def _next_record(reader: _BufferedReader, position: int, size: int) -> int:
    """Where the next whole record begins at ``position`` or behind it; the end of the file if none does."""
    while position < size:
        block = os.pread(reader.descriptor, _LARGE_READ, position)
        found = block.find(MAGIC_BYTES)
        while found >= 0:
            try:
                _record_header(reader, position + found, size)
                return position + found
            except _Damaged:
                found = block.find(MAGIC_BYTES, found + 1)
        position += max(1, len(block) - len(MAGIC_BYTES) + 1)  # a magic may extend over two blocks
    return size


def read_payload(descriptor: int, position: int, stored: int = PART.size) -> memoryview:
    """The payload of the record at ``position``, which a scan has found to be whole.

    Args:
        descriptor: of the open file; its position is not used.
        position: of the record, in bytes.
        stored: bytes to read at first. The size of the whole record, where it is known, saves further reads.
    """
    parts: List[memoryview] = []
    while True:
        begin = memoryview(os.pread(descriptor, stored, position))
        _, word = PART.unpack_from(begin)
        length = word & LENGTH
        part = begin[PART.size : PART.size + length]
        if len(part) < length and stored == PART.size:
            part = memoryview(os.pread(descriptor, length, position + PART.size))
        parts.append(part)
        if word >> 29 in (0, 3):
            return parts[0] if len(parts) == 1 else memoryview(MAGIC_BYTES.join(parts))
        position, stored = position + PART.size + (length + 3 & ~3), PART.size

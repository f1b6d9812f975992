"""Reading and writing RecordIO image files without MXNet.

When a file is damaged, MXNet's readers abort the process or silently skip images. :class:`RecordFile` therefore scans
every record header before an image is read, and raises :class:`~gluon_cbam.common.errors.DataError` with the record's
number and byte offset.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Iterator, NamedTuple, Optional, Sequence, Tuple, Type, Union

import numpy as np

from gluon_cbam.common.descriptors import read_at
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_paths
from gluon_cbam.data.decoding import SmallImages

from .detection import is_detection
from .faces import find_pictures, wrong_ranges
from .format import HEADER, LENGTH, MAGIC, MAGIC_BYTES, PART, Headers, read_headers, read_payload
from .index import check_index, existing_file, index_path, read_index, rebuild_index, salvage_index
from .labels import Wrong, checked_index, wrong_classes, wrong_counts
from .segmentation import LABELS, has_masks, mask_length

_log = logging.getLogger('gluon_cbam.data')

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
        id: id of the record, as stored in its header.
        image: the encoded image.
        mask: the encoded mask of the image, see :mod:`gluon_cbam.data.records.segmentation`; may be empty.
    """

    labels: np.ndarray
    id: int
    image: bytes
    mask: bytes = b''


def read_record(descriptor: int, offset: int) -> Record:
    """Read an intact record.

    Safe in several threads and after a fork: the position of the open file is not used.

    Args:
        descriptor: file descriptor of the open file.
        offset: offset of the record in bytes. A scan must have found it intact.

    Returns:
        The record, with a copy of the encoded image.
    """
    payload = read_payload(descriptor, offset)
    count, label, record_id, _ = HEADER.unpack_from(payload)
    labels = np.frombuffer(payload, '<f4', count, HEADER.size) if count else np.array([label], np.float32)
    image, mask = _contents(payload)
    return Record(labels, record_id, bytes(image), bytes(mask))


def _contents(payload: memoryview) -> Tuple[memoryview, memoryview]:
    """The encoded image and mask in the payload of a record, without a copy."""
    count, *_ = HEADER.unpack_from(payload)
    begin, end = HEADER.size + 4 * count, len(payload)
    if count == LABELS:
        end = max(begin, end - mask_length(np.frombuffer(payload, '<f4', count, HEADER.size)))
    return payload[begin:end], payload[end:]


class RecordFile:
    """A ``.rec`` file with random access to its records; opening it checks its structure.

    Reading is safe in several threads and after a fork: no file position is shared.

    Args:
        path: the ``.rec`` file.
        indexed: whether to read the ``.idx`` file, and check that it lists every record once; default True.
        label_index: the label of each record that ``labels`` has, from 0; default None: the only one.
        faces: whether records of insightface are expected; otherwise, a warning says what is left out. Default False.

    The header and the identity records of insightface's files (:mod:`gluon_cbam.data.records.faces`) are left out: they
    have no image. Their pictures may have several labels, of which the first is the identity, the default.

    Attributes:
        path: path of the file.
        label_index: as given.
        labels: (records,) float32, the chosen label of each record; see :meth:`check_label_counts`.
        label_counts: (records,) int32, number of labels of each record; :meth:`labels_of` reads all of them.
        ids: (records,) uint64, id of each record.
        identities: number of identity records that are left out; None for a file that is not insightface's.
        small_images: the images that :func:`.images.open_record` keeps.

    Raises:
        UsageError: there is no such file, or ``label_index`` is negative.
        DataError: the file or its index is damaged, or an identity record names pictures outside the file.
    """

    def __init__(
        self, path: PathLike, indexed: bool = True, label_index: Optional[int] = None, faces: bool = False
    ) -> None:
        self.path, self.label_index = existing_file(path), checked_index(label_index)
        self.small_images = SmallImages()
        self._file = open(self.path, 'rb')  # noqa: SIM115 (open as long as the object exists)
        descriptor = self._file.fileno()
        headers = read_headers(self.path, descriptor, label_index or 0)
        if indexed:
            check_index(self.path, read_index(self.path), headers.offsets)
        bounds = np.append(headers.offsets, os.fstat(descriptor).st_size)
        columns = bounds[:-1], bounds[1:], headers.labels, headers.counts, headers.ids
        pictures = find_pictures(headers, descriptor)
        self.identities = None
        if pictures is not None:
            self._refuse_ranges(headers, pictures)
            self.identities = int(len(pictures) - np.count_nonzero(pictures)) - 1
            columns = tuple(column[pictures] for column in columns)
        self._offsets, self._ends, self.labels, self.label_counts, self.ids = columns
        if not len(self):
            raise DataError(f'{self.path}: it has a header of insightface, and no picture')
        if self.identities is not None and not faces:
            _log.warning(
                '%s has records of insightface: its %d pictures are used, a header and %d identity records are not',
                self.path, len(self), self.identities,
            )  # fmt: skip

    def _refuse_ranges(self, headers: Headers, pictures: np.ndarray) -> None:
        wrong = next(wrong_ranges(headers, pictures, self._file.fileno()), None)
        if wrong:
            raise DataError(f'{self.path}: record {wrong.number} at offset {wrong.offset}: {wrong.reason}')

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Record:
        return read_record(self._file.fileno(), self._offsets[number])

    def image(self, number: int) -> memoryview:
        """The encoded image of a record, with a single read and without a copy, for loaders.

        Args:
            number: index of the record, from 0.

        Returns:
            The bytes of the image.
        """
        return self._contents(number)[0]

    def mask(self, number: int) -> memoryview:
        """The encoded mask of a record, see :mod:`gluon_cbam.data.records.segmentation`; empty where it has none.

        Args:
            number: index of the record, from 0.
        """
        return self._contents(number)[1]

    def _contents(self, number: int) -> Tuple[memoryview, memoryview]:
        begin, end = self._offsets[number], self._ends[number]
        return _contents(read_payload(self._file.fileno(), begin, end - begin))

    def image_begin(self, number: int, length: int) -> bytes:
        """The first bytes of the encoded image of a record.

        Args:
            number: index of the record, from 0.
            length: how many bytes, or all where there are fewer.
        """
        begin, skipped = self._offsets[number], PART.size + HEADER.size
        skipped += 4 * (int(self.label_counts[number]) if self.label_counts[number] > 1 else 0)
        head = read_at(self._file.fileno(), min(int(self._ends[number] - begin), skipped + length), begin)
        _, word = PART.unpack_from(head)
        count = HEADER.unpack_from(head, PART.size)[0]
        if word >> 29 or count != (skipped - PART.size - HEADER.size) // 4:  # in parts, or an array of one label
            return bytes(self.image(number)[:length])
        return head[skipped : PART.size + (word & LENGTH)]

    def offset(self, number: int) -> int:
        """The offset of a record in the file in bytes.

        Args:
            number: index of the record, from 0.
        """
        return self._offsets[number]

    @property
    def offsets(self) -> np.ndarray:
        """The offset of each record in bytes: (records,) int64."""
        return self._offsets

    @property
    def ends(self) -> np.ndarray:
        """The offset of the end of each record in bytes: (records,) int64."""
        return self._ends

    def fileno(self) -> int:
        """The file descriptor of the open file, to read at offsets."""
        return self._file.fileno()

    def labels_of(self, number: int) -> np.ndarray:
        """Read all labels of a record, without its image.

        Args:
            number: index of the record, from 0.

        Returns:
            (n,) float32.
        """
        count = int(self.label_counts[number])
        begin = self._offsets[number] + PART.size
        head = read_at(self._file.fileno(), HEADER.size + 4 * count, begin)
        array, label, *_ = HEADER.unpack_from(head)
        return np.frombuffer(head, '<f4', count, HEADER.size) if array else np.array([label], np.float32)

    def chosen(self, which: np.ndarray) -> RecordFile:
        """Some records of the file, as a file of these alone: numbers count them from 0.

        Args:
            which: (records,) bool.
        """
        part = copy(self)
        for name in ('_offsets', '_ends', 'labels', 'label_counts', 'ids'):
            setattr(part, name, getattr(self, name)[which])
        part.small_images = SmallImages()  # by other numbers
        return part

    def check_label_counts(self) -> None:
        """Check that every record has one label, or the one of ``label_index``.

        Raises:
            DataError: a record has several labels, or too few; or the labels are boxes.
        """
        if is_detection(self):
            raise DataError(f'{self.path} has boxes, and no classes of whole images: give --task detection')
        if has_masks(self):
            raise DataError(f'{self.path} has masks, and no classes of whole images: give --task segmentation')
        index = self.label_index
        if index is None and self.identities is not None:
            index = 0  # the first label of a picture of insightface is its identity
        hint = f'--label-index {index} is counted from 0'
        if index is None:
            hint = 'choose one with --label-index K, counted from 0, or give --task multilabel'
        self._refuse(wrong_counts(self.label_counts, index), hint)

    def _refuse(self, wrong: Optional[Wrong], hint: str) -> None:
        if wrong:
            raise DataError(
                f'{self.path}: record {wrong.number} at offset {self.offset(wrong.number)} {wrong.reason} '
                f'({wrong.records} of {len(self)} records): {hint}'
            )

    def check_labels(self, classes: int) -> None:
        """Check that every record has a label, see :meth:`check_label_counts`, and that it is a class index.

        Args:
            classes: number of classes.

        Raises:
            DataError: a label is not an integer in 0 .. classes - 1, or a record has several.
        """
        self.check_label_counts()
        self._refuse(wrong_classes(self.labels, classes), 'check --classes and the data')


class RecordWriter:
    """Writes a ``.rec`` and its ``.idx`` under temporary names, and renames both when the block ends without an error.

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
            record, index = stack.enter_context(atomic_paths(self.path, index_path(self.path)))
            self._index = stack.enter_context(open(index, 'w', encoding='ascii'))
            self._record = stack.enter_context(open(record, 'wb'))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> Optional[bool]:
        return self._stack.__exit__(kind, error, trace)

    def write(self, labels: Union[float, Sequence[float]], image: bytes, key: Optional[int] = None) -> None:
        """Append a record.

        Args:
            labels: one label or several.
            image: the encoded image, stored as it is.
            key: its key and id; default its index.

        Raises:
            DataError: the record would be 512 MiB or larger.
        """
        key = self.count if key is None else key
        head = HEADER.pack(0, labels, key, 0) if isinstance(labels, float) else _head_of_several(labels, key)
        self._index.write(f'{key}\t{self._record.tell()}\n')
        for part in _parts(head + image):
            self._record.write(part)
        self.count += 1


def _head_of_several(labels: Union[float, Sequence[float]], key: int) -> bytes:
    """The header of a record and its labels, if there are several."""
    values = np.atleast_1d(np.asarray(labels, '<f4'))
    if len(values) == 1:
        return HEADER.pack(0, values[0], key, 0)
    return HEADER.pack(len(values), 0.0, key, 0) + values.tobytes()


def _parts(payload: bytes) -> Iterator[bytes]:
    """The parts of a record: the payload is split where the magic occurs at a multiple of 4."""
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

"""Checks of record files: structure, index, labels and images, in one pass that continues after a fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from typing import Counter as CounterType

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.decoding import decode

from .duplicates import Duplicates, find_duplicates, image_hash
from .format import Chunk, scan
from .growing_array import GrowingArray, count_repeated
from .index import check_index, existing_file, read_index
from .parallel import map_chunks
from .recordio import Record, read_record

_REPORTED = 20  # faults of a file that a report lists
_Inspect = Callable[[str, np.ndarray], '_Inspected']


class Bad(NamedTuple):
    """A fault of a file.

    Attributes:
        kind: ``structure``, ``index``, ``label``, ``empty`` or ``image``.
        number: number of intact records before it; None for a fault of the whole file.
        offset: offset of the record in bytes; None for a fault of the whole file.
        reason: the fault, for messages.
    """

    kind: str
    number: Optional[int]
    offset: Optional[int]
    reason: str


@dataclass
class Report:
    """The faults of a file.

    Attributes:
        path: path of the file.
        size: size of the file in bytes.
        records: number of intact records.
        lost_bytes: number of bytes that belong to no intact record.
        lost_records: number of entries of the index where no intact record begins; None if the index cannot be read.
        counts: number of faults by kind.
        bad: the first faults.
        repeated_ids: number of records with the id of an earlier record.
    """

    path: Path
    size: int
    records: int = 0
    lost_bytes: int = 0
    lost_records: Optional[int] = None
    counts: CounterType[str] = field(default_factory=Counter)
    bad: List[Bad] = field(default_factory=list)
    repeated_ids: int = 0

    def add(self, bad: Bad) -> None:
        """Count a fault, and keep it if it is one of the first."""
        self.counts[bad.kind] += 1
        if len(self.bad) < _REPORTED:
            self.bad.append(bad)

    def as_dict(self) -> dict:
        """The report as values for JSON."""
        about = {name: getattr(self, name) for name in ('records', 'lost_bytes', 'lost_records', 'repeated_ids')}
        bad = [entry._asdict() for entry in self.bad]
        return {'file': str(self.path), 'bytes': self.size, **about, 'faults': dict(self.counts), 'first': bad}


class Checked(NamedTuple):
    """The result of a check of several files.

    Attributes:
        files: the report of each file.
        duplicates: images that occur more than once in the files; None if they were not searched for.
    """

    files: List[Report]
    duplicates: Optional[Duplicates]

    def ok(self, strict: bool = False) -> bool:
        """Whether there is no fault and, with ``strict``, no image or id that occurs twice."""
        repeated = bool(self.duplicates and self.duplicates.images) or any(report.repeated_ids for report in self.files)
        return not any(report.counts for report in self.files) and not (strict and repeated)


def check_files(
    paths: Sequence[PathLike],
    decoding: bool = True,
    duplicates: bool = True,
    classes: Optional[int] = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Check the structure, index, labels and images of record files.

    Args:
        paths: paths of ``.rec`` files.
        decoding: whether to decode every image.
        duplicates: whether to search for images that occur more than once in the files, by a hash of their bytes.
            Without this and ``decoding``, only the headers are read.
        classes: labels must be integers below it; by default, any number.
        workers: number of processes.
        progress: called with (bytes done, total bytes) of the files.

    Returns:
        A report of each file, and the duplicates.

    Raises:
        UsageError: a file does not exist.
    """
    files = [existing_file(path) for path in paths]
    inspect = partial(_inspect, decoding, duplicates) if decoding or duplicates else None
    total, done = sum(path.stat().st_size for path in files), 0
    reports, labels, hashes = [], [], []
    for path in files:
        report, file_labels, file_hashes = _check_file(
            path, inspect, classes, workers, partial(_add_bytes, progress, done, total)
        )
        reports.append(report)
        labels.append(file_labels)
        hashes.append(file_hashes)
        done += report.size
    return Checked(reports, find_duplicates(files, hashes, labels) if duplicates else None)


def _add_bytes(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _check_file(
    path: Path, inspect: Optional[_Inspect], classes: Optional[int], workers: int, progress: Callable[[int], None]
) -> Tuple[Report, np.ndarray, np.ndarray]:
    """The report of a file, and the labels and hashes of its images."""
    report = Report(path, path.stat().st_size)
    offsets, ids = GrowingArray(np.int64), GrowingArray(np.uint64)
    labels, hashes = GrowingArray(np.float32), GrowingArray(np.uint64)
    stored = 0
    for chunk, inspected in _chunks(path, inspect, workers):
        _add_chunk(report, chunk, inspected, classes)
        stored += chunk.stored
        progress(chunk.end)
        for column, part in ((offsets, chunk.offsets), (ids, chunk.ids), (labels, chunk.labels)):
            column.append(part)
        if inspected:
            hashes.append(inspected.hashes)
    if not report.size:
        report.add(Bad('structure', None, None, 'the file is empty'))
    report.lost_bytes = report.size - stored
    _add_index(report, offsets.joined())
    report.repeated_ids = count_repeated(ids.joined())
    return report, labels.joined(), hashes.joined()


def _chunks(path: Path, inspect: Optional[_Inspect], workers: int) -> Iterator[Tuple[Chunk, Optional[_Inspected]]]:
    if inspect is not None:
        yield from map_chunks(path, inspect, workers)
        return
    with open(path, 'rb') as file:
        for chunk in scan(file.fileno()):
            yield chunk, None


def _add_chunk(report: Report, chunk: Chunk, inspected: Optional[_Inspected], classes: Optional[int]) -> None:
    bad = [('empty', int(index), 'the image is empty') for index in np.flatnonzero(chunk.sizes == 0)]
    labels = chunk.labels
    with np.errstate(invalid='ignore'):
        wrong = ~np.isfinite(labels)
        if classes is not None:
            wrong |= (labels < 0) | (labels >= classes) | (labels != np.floor(labels))
    limit = '' if classes is None else f', not a class in 0..{classes - 1}'
    bad += [('label', int(index), f'label {labels[index]:g}{limit}') for index in np.flatnonzero(wrong)]
    bad += inspected.bad if inspected else []
    for kind, index, reason in sorted(bad, key=lambda row: row[1]):
        report.add(Bad(kind, report.records + index, int(chunk.offsets[index]), reason))
    for fault in chunk.faults:
        report.add(Bad('structure', *fault))
    report.records += len(chunk.offsets)


def _add_index(report: Report, offsets: np.ndarray) -> None:
    try:
        index = read_index(report.path)
        report.lost_records = int((~_contained(index.offsets, offsets)).sum())
        check_index(report.path, index, offsets)
    except DataError as error:
        report.add(Bad('index', None, None, str(error)))


def _contained(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Whether each value occurs in a sorted array: (len(values),) bool."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[places] == values


class _Inspected(NamedTuple):
    """The records of a chunk: (kind, index, reason) of the bad ones, and uint64 hashes of the images."""

    bad: List[Tuple[str, int, str]]
    hashes: np.ndarray


def _inspect(decoding: bool, hashing: bool, path: str, offsets: np.ndarray) -> _Inspected:
    bad: List[Tuple[str, int, str]] = []
    hashes: List[bytes] = []
    with open(path, 'rb') as file:
        for index, offset in enumerate(offsets.tolist()):
            record = read_record(file.fileno(), offset)
            bad += [(kind, index, reason) for kind, reason in _faults(record, decoding)]
            if hashing:
                hashes.append(image_hash(record.image))
    return _Inspected(bad, np.frombuffer(b''.join(hashes), '<u8'))


def _faults(record: Record, decoding: bool) -> Iterator[Tuple[str, str]]:
    """Kind and reason of the faults of a record beyond its header."""
    if len(record.labels) > 1 and not np.isfinite(record.labels[1:]).all():
        yield 'label', 'one of several labels is no finite number'
    if decoding and record.image:
        try:
            decode(record.image, '')
        except DataError as error:
            yield 'image', str(error).partition(': ')[2]

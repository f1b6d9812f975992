"""Everything that can be wrong with record files, in one pass and with no end at the first fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.loading.preprocessing import decode

from .columns import Column, repeats
from .duplicates import Duplicates, find_duplicates, image_hash
from .inspection import inspect
from .recordio import compare_index, read_index, read_record
from .structure import Chunk

_SHOWN = 20  # bad records of a file in a report


class Bad(NamedTuple):
    """Something wrong with a file.

    Attributes:
        kind: ``structure``, ``index``, ``label``, ``empty`` or ``image``.
        number: of the record, counting the whole ones before it; None if it is the file's.
        offset: in bytes, or None.
        reason: what is wrong.
    """

    kind: str
    number: Optional[int]
    offset: Optional[int]
    reason: str


@dataclass
class Report:
    """What is wrong with a file.

    Attributes:
        path: of the file.
        size: in bytes.
        records: whole ones.
        lost_bytes: that belong to no whole record.
        lost_records: that the index lists where no whole record begins; None if it cannot be read.
        counts: faults by kind.
        bad: the first of them.
        repeated_ids: records whose id an earlier one has.
    """

    path: Path
    size: int
    records: int = 0
    lost_bytes: int = 0
    lost_records: Optional[int] = None
    counts: Counter = field(default_factory=Counter)
    bad: List[Bad] = field(default_factory=list)
    repeated_ids: int = 0

    def add(self, bad: Bad) -> None:
        """Count a fault, and keep it if it is one of the first."""
        self.counts[bad.kind] += 1
        if len(self.bad) < _SHOWN:
            self.bad.append(bad)

    def as_dict(self) -> dict:
        """For JSON."""
        about = {name: getattr(self, name) for name in ('records', 'lost_bytes', 'lost_records', 'repeated_ids')}
        bad = [entry._asdict() for entry in self.bad]
        return {'file': str(self.path), 'bytes': self.size, **about, 'faults': dict(self.counts), 'first': bad}


class Checked(NamedTuple):
    """What is wrong with some files.

    Attributes:
        files: a report each.
        duplicates: images that occur more than once in them, or None if that was not looked for.
    """

    files: List[Report]
    duplicates: Optional[Duplicates]

    def ok(self, strict: bool = False) -> bool:
        """Whether nothing is wrong; strictly, no image or id comes twice either."""
        doubtful = bool(self.duplicates and self.duplicates.images) or any(report.repeated_ids for report in self.files)
        return not any(report.counts for report in self.files) and not (strict and doubtful)


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
        paths: of ``.rec`` files.
        decoding: decode every image.
        duplicates: look for images that occur more than once, in a file or in several, by a hash of their bytes.
            Without this and ``decoding``, only the headers are read.
        classes: labels must be whole numbers below it; default any number.
        workers: processes.
        progress: told how many bytes of the files are done, and how many there are.

    Raises:
        UsageError: a file does not exist.
    """
    paths = [Path(path) for path in paths]
    absent = next((path for path in paths if not path.is_file()), None)
    if absent:
        raise UsageError(f'no record file {str(absent)!r}')
    look = partial(_look, decoding, duplicates) if decoding or duplicates else None
    total, done = sum(path.stat().st_size for path in paths), 0
    reports, labels, hashes = [], [], []
    for path in paths:
        show = partial(_add_bytes, progress, done, total)
        report, its_labels, its_hashes = _check_file(path, look, classes, workers, show)
        reports.append(report)
        labels.append(its_labels)
        hashes.append(its_hashes)
        done += report.size
    return Checked(reports, find_duplicates(paths, hashes, labels) if duplicates else None)


def _add_bytes(progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _check_file(path: Path, look, classes: Optional[int], workers: int, show) -> Tuple[Report, np.ndarray, np.ndarray]:
    """The report of a file, and the labels and hashes of its images."""
    report = Report(path, path.stat().st_size)
    offsets, ids, labels, hashes = Column(np.int64), Column(np.uint64), Column(np.float32), Column(np.uint64)
    stored = 0
    for chunk, found in inspect(path, look, workers):
        _add_chunk(report, chunk, found, classes)
        stored += chunk.stored
        show(chunk.end)
        for column, part in ((offsets, chunk.offsets), (ids, chunk.ids), (labels, chunk.labels)):
            column.append(part)
        if found:
            hashes.append(found.hashes)
    if not report.size:
        report.add(Bad('structure', None, None, 'the file is empty'))
    report.lost_bytes = report.size - stored
    _add_index(report, offsets.joined())
    report.repeated_ids = repeats(ids.joined())
    return report, labels.joined(), hashes.joined()


def _add_chunk(report: Report, chunk: Chunk, found: Optional[_Found], classes: Optional[int]) -> None:
    bad = [('empty', index, 'the image is empty') for index in np.flatnonzero(chunk.sizes == 0)]
    labels = chunk.labels
    with np.errstate(invalid='ignore'):
        wrong = ~np.isfinite(labels)
        if classes is not None:
            wrong |= (labels < 0) | (labels >= classes) | (labels != np.floor(labels))
    limit = '' if classes is None else f', not a class in 0..{classes - 1}'
    bad += [('label', index, f'label {labels[index]:g}{limit}') for index in np.flatnonzero(wrong)]
    bad += found.bad if found else []
    for kind, index, reason in sorted(bad, key=lambda row: row[1]):
        report.add(Bad(kind, report.records + int(index), int(chunk.offsets[index]), reason))
    for fault in chunk.faults:
        report.add(Bad('structure', *fault))
    report.records += len(chunk.offsets)


def _add_index(report: Report, offsets: np.ndarray) -> None:
    try:
        index = read_index(report.path)
        report.lost_records = int((~_among(index.offsets, offsets)).sum())
        compare_index(report.path, index, offsets)
    except DataError as error:
        report.add(Bad('index', None, None, str(error)))


def _among(values: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """Whether each value is among numbers that rise."""
    if not len(rising):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    return rising[places] == values


class _Found(NamedTuple):
    """What was found in the records of a chunk: (kind, index, reason) of the bad ones, and uint64 hashes of images."""

    bad: List[Tuple[str, int, str]]
    hashes: np.ndarray


def _look(decoding: bool, hashing: bool, path: str, offsets: np.ndarray) -> _Found:
    bad, hashes = [], []
    with open(path, 'rb') as file:
        for index, offset in enumerate(offsets.tolist()):
            record = read_record(file.fileno(), offset)
            if len(record.labels) > 1 and not np.isfinite(record.labels[1:]).all():
                bad.append(('label', index, 'one of several labels is no finite number'))
            if hashing:
                hashes.append(image_hash(record.image))
            if decoding and record.image:
                try:
                    decode(record.image, '')
                except DataError as error:
                    bad.append(('image', index, str(error).partition(': ')[2]))
    return _Found(bad, np.frombuffer(b''.join(hashes), '<u8'))

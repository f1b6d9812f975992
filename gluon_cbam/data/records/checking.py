"""Checks of record files: structure, index, labels and images, in one pass that continues after a fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from typing import Counter as CounterType

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.decoding import DarkImages

from .duplicates import Duplicates, find_duplicates
from .faces import Property, find_pictures, find_property
from .format import Chunk, HeaderColumns, Headers, scan
from .growing_array import GrowingArray, count_repeated
from .identities import identity_faults, pictures_of_identities
from .index import check_index, existing_file, read_index
from .inspection import Inspected, inspect_records
from .label_hints import label_hints
from .labels import are_classes, checked_index, label_counts, unfit_for_classes
from .parallel import map_chunks

_REPORTED = 20  # faults of a file that a report lists
_EMPTY = 'the image is empty'
_Inspect = Callable[[str, np.ndarray], Inspected]


class Bad(NamedTuple):
    """A fault of a file.

    Attributes:
        kind: ``structure``, ``index``, ``label``, ``identity``, ``empty``, ``image`` or ``size``.
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
        label_counts: number of labels -> number of records with as many, of the records with an image.
        identities: number of insightface's identity records, which have no image, as its header; None for other files.
        identity_pictures: how many pictures the identities of faces have, see :func:`.pictures_of_identities`; None for
            other files.
        dark: images of 16 bits a channel that use few of them.
        unfit: why the labels, if none is damaged, are not those of classes; None where they can be classes.
        warnings: hints about labels that can be classes, see :func:`.label_hints.label_hints`.
    """

    path: Path
    size: int
    records: int = 0
    lost_bytes: int = 0
    lost_records: Optional[int] = None
    counts: CounterType[str] = field(default_factory=Counter)
    bad: List[Bad] = field(default_factory=list)
    repeated_ids: int = 0
    label_counts: Dict[int, int] = field(default_factory=dict)
    identities: Optional[int] = None
    identity_pictures: Optional[Dict[str, float]] = None
    unfit: Optional[str] = None
    dark: DarkImages = field(default_factory=DarkImages)
    warnings: List[str] = field(default_factory=list)

    def add(self, bad: Bad) -> None:
        """Count a fault, and keep it if it is one of the first."""
        self.counts[bad.kind] += 1
        if len(self.bad) < _REPORTED:
            self.bad.append(bad)

    def add_late(self, bad: List[Bad]) -> None:
        """Count faults of records before those that were added."""
        self.counts.update(fault.kind for fault in bad)
        self.bad = sorted([*self.bad, *bad[:_REPORTED]], key=lambda fault: (fault.offset is None, fault.offset))[
            :_REPORTED
        ]

    def as_dict(self) -> dict:
        """The report as values for JSON."""
        names = ['records', 'lost_bytes', 'lost_records', 'repeated_ids', 'label_counts', 'identities']
        names += ['identity_pictures', 'unfit']
        about = {**{name: getattr(self, name) for name in names}, 'warnings': self.warnings}
        bad = [entry._asdict() for entry in self.bad]
        dark = {'dark_images': self.dark.count, 'first_dark': self.dark.first}
        return {'file': str(self.path), 'bytes': self.size, **about, **dark, 'faults': dict(self.counts), 'first': bad}


class Checked(NamedTuple):
    """The result of a check of several files.

    Attributes:
        files: the report of each file.
        duplicates: images that occur more than once in the files; None if they were not searched for.
    """

    files: List[Report]
    duplicates: Optional[Duplicates]

    def ok(self, strict: bool = False, classification: bool = False) -> bool:
        """Whether there is no fault.

        Args:
            strict: an image or an id that occurs twice is a fault.
            classification: labels that are not those of classes are a fault.
        """
        repeated = bool(self.duplicates and self.duplicates.images) or any(report.repeated_ids for report in self.files)
        unfit = any(report.unfit for report in self.files)
        faults = any(report.counts for report in self.files)
        return not (faults or (strict and repeated) or (classification and unfit))


def check_files(
    paths: Sequence[PathLike],
    decoding: bool = True,
    duplicates: bool = True,
    classes: Optional[int] = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    label_index: Optional[int] = None,
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
        label_index: the label of a record that is a class, from 0; default the only one, or the first of a picture of
            insightface.

    Returns:
        A report of each file, and the duplicates.

    Raises:
        UsageError: a file does not exist.
    """
    checked_index(label_index)
    files = [existing_file(path) for path in paths]
    total, done = sum(path.stat().st_size for path in files), 0
    reports, labels, hashes = [], [], []
    for path in files:
        report, file_labels, file_hashes = _check_file(
            path, decoding, duplicates, classes, workers, partial(_add_bytes, progress, done, total), label_index
        )
        reports.append(report)
        labels.append(file_labels)
        hashes.append(file_hashes)
        done += report.size
    return Checked(reports, find_duplicates(files, hashes, labels) if duplicates else None)


def _add_bytes(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _check_file(
    path: Path,
    decoding: bool,
    duplicates: bool,
    classes: Optional[int],
    workers: int,
    progress: Callable[[int], None],
    label_index: Optional[int],
) -> Tuple[Report, np.ndarray, np.ndarray]:
    """The report of a file, and the labels and hashes of its images."""
    report = Report(path, path.stat().st_size)
    stated = _property(report) if not label_index else None  # the first label is the identity
    inspect = partial(inspect_records, decoding, duplicates, stated) if decoding or duplicates else None
    columns, hashes = HeaderColumns(), GrowingArray(np.uint64)
    stored = 0
    for chunk, inspected in _chunks(path, inspect, workers, label_index or 0):
        _add_chunk(report, chunk, inspected, classes)
        stored += chunk.stored
        progress(chunk.end)
        columns.add(chunk)
        if inspected:
            hashes.append(inspected.hashes)
    if not report.size:
        report.add(Bad('structure', None, None, 'the file is empty'))
    report.lost_bytes = report.size - stored
    headers = columns.joined()
    _add_labels(report, headers, label_index, classes, stated)
    _add_index(report, headers.offsets)
    report.repeated_ids = count_repeated(headers.ids)
    return report, headers.labels, hashes.joined()


def _chunks(
    path: Path, inspect: Optional[_Inspect], workers: int, label_index: int
) -> Iterator[Tuple[Chunk, Optional[Inspected]]]:
    if inspect is not None:
        yield from map_chunks(path, inspect, workers, label_index)
        return
    with open(path, 'rb') as file:
        for chunk in scan(file.fileno(), label_index):
            yield chunk, None


def _add_chunk(report: Report, chunk: Chunk, inspected: Optional[Inspected], classes: Optional[int]) -> None:
    faces = (chunk.sizes == 0) & (chunk.counts == 2)  # of insightface perhaps, see _add_labels
    bad = [('empty', int(index), _EMPTY) for index in np.flatnonzero((chunk.sizes == 0) & ~faces)]
    labels = chunk.labels
    wrong = ~faces & (~np.isfinite(labels) if classes is None else ~are_classes(labels, classes))
    limit = '' if classes is None else f', not a class in 0..{classes - 1}'
    bad += [('label', int(index), f'label {labels[index]:g}{limit}') for index in np.flatnonzero(wrong)]
    bad += inspected.bad if inspected else []
    for kind, index, reason in sorted(bad, key=lambda row: row[1]):
        report.add(Bad(kind, report.records + index, int(chunk.offsets[index]), reason))
    for index, bits in inspected.dark if inspected else []:
        report.dark.add(f'record {report.records + index} at offset {chunk.offsets[index]}', bits)
    for fault in chunk.faults:
        report.add(Bad('structure', *fault))
    report.records += len(chunk.offsets)


def _add_labels(
    report: Report, headers: Headers, label_index: Optional[int], classes: Optional[int], stated: Optional[Property]
) -> None:
    """Add how many labels the records have, and the records without image that are not insightface's."""
    with open(report.path, 'rb') as file:
        pictures = find_pictures(headers, file.fileno())
        if not label_index:
            identities = stated.identities if stated and classes is None else None
            _add_identities(report, headers, pictures, file.fileno(), identities)
    used = np.ones(len(headers.ids), bool) if pictures is None else pictures
    if pictures is not None:
        report.identities = int(np.count_nonzero(~pictures)) - 1
        label_index = label_index or 0
    empty = np.flatnonzero(headers.empty & (headers.counts == 2) & used)
    report.add_late([Bad('empty', int(number), int(headers.offsets[number]), _EMPTY) for number in empty])
    report.label_counts = label_counts(headers.counts[used])
    labels, counts = np.where(used, headers.labels, 0), np.where(used, headers.counts, (label_index or 0) + 1)
    unfit = unfit_for_classes(labels, counts, label_index)
    if unfit and not report.counts['label']:
        offset = headers.offsets[unfit.number]
        report.unfit = (
            f'record {unfit.number} at offset {offset} {unfit.reason} ({unfit.records} of {len(counts)} records)'
        )
    if not unfit and not report.counts['label']:
        report.warnings = label_hints(headers.labels[used], str(report.path), classes)


def _property(report: Report) -> Optional[Property]:
    """What the file ``property`` beside a file says; one that is damaged is a fault."""
    try:
        return find_property(report.path.parent)
    except DataError as error:
        report.add(Bad('identity', None, None, str(error)))
        return None


def _add_identities(
    report: Report, headers: Headers, pictures: Optional[np.ndarray], descriptor: int, stated: Optional[int]
) -> None:
    """Add the identities of a file of faces: one with insightface's header, or beside a ``property``."""
    report.add_late([Bad(*fault) for fault in identity_faults(headers, pictures, descriptor, stated)])
    if pictures is not None:
        report.identity_pictures = pictures_of_identities(headers.labels[pictures])


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

"""Detection records and the lists that they are packed from, as sets of pictures with boxes.

A list, ``train.lst``, has ``index, A, B, ..., path`` in each line, separated by tabs. Beside ``train.rec``, with the
ids of its records as indices, it gives the names of the pictures; without it they are named after their numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.decoding import format_of
from gluon_cbam.data.records.detection import is_detection
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.labels import ListedLabels, read_list
from gluon_cbam.data.sources.splits import SPLITS

from .columns import BoxColumns
from .faults import Faults
from .labels import to_boxes
from .objects import Objects, read_objects
from .reading import ReadOptions, checked_name, file_size
from .records import BoxRecords
from .sets import BoxPart, BoxSet, PictureFiles, PictureRecords
from .table import Boxes

_SUFFIX = '.lst'


def find_records(source: Path) -> Dict[str, Path]:
    """The detection records of a source: a ``.rec`` file, or those of a folder that are named after splits.

    Returns:
        Name of the file without its suffix -> path; empty if there are none.
    """
    files = [source] if source.is_file() else [source / f'{split}.rec' for split in SPLITS]
    return {path.stem: path for path in files if path.is_file() and path.suffix == '.rec' and _has_boxes(path)}


def _has_boxes(path: Path) -> bool:
    try:
        return is_detection(RecordFile(path, indexed=False, faces=True))
    except CbamError:
        return False


def read_records(source: Path, options: ReadOptions) -> BoxSet:
    """Read detection records."""
    parts, names, count = [], options.given_classes(), 0
    for name, path in find_records(source).items():
        records = BoxRecords(path)
        names = names or records.names.names
        count = max(count, records.classes)
        parts.append(_record_part(name, records, options))
    classes = tuple(names) if names else tuple(str(index) for index in range(count))
    return BoxSet('rec', classes, parts)


def _record_part(name: str, records: BoxRecords, options: ReadOptions) -> BoxPart:
    names = _listed_names(records.records) or [_made_name(name, records, number) for number in range(len(records))]
    sizes, boxes = [], []
    for number in options.progress(range(len(records)), len(records), name):
        sizes.append(records.size_of(number))
        boxes.append(records.boxes_of(number, sizes[-1]))
    columns = joined(names, sizes, boxes, records.records.ids.astype(np.int64))
    pictures = PictureRecords(records.path, records.offsets)
    return BoxPart(name, columns, records.path, pictures, records.where, 'object')


def joined(names: List[str], sizes: List[Tuple[int, int]], boxes: List[Boxes], ids: Optional[np.ndarray]) -> BoxColumns:
    """The columns of pictures whose boxes are numbered from 0 in each.

    Args:
        names: path of each picture.
        sizes: height and width of each.
        boxes: the boxes of each.
        ids: (pictures,) int64, id of each; None for none.
    """
    counts = np.array([len(each) for each in boxes], np.int64)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    fields = ('corners', 'classes', 'difficult', 'crowd', 'areas')
    every = [Boxes.empty(), *boxes]
    whole = Boxes(*(np.concatenate([getattr(each, name) for each in every]) for name in fields))
    numbers = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
    return BoxColumns(names, np.array(sizes, np.int64).reshape(-1, 2), whole, bounds, numbers, ids)


def _made_name(part: str, records: BoxRecords, number: int) -> str:
    row = format_of(records.records.image(number))
    return f'{part}_{number:06d}{row.endings[0] if row else ".jpg"}'


def _listed_names(records: RecordFile) -> Optional[List[str]]:
    """The names in the list beside a file of records; None without one.

    Raises:
        DataError: the list is of other records.
    """
    path = records.path.with_suffix(_SUFFIX)
    if not path.is_file():
        return None
    names: Dict[int, str] = {}
    with reading(path), open(path, encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        for line in file:
            index, *_, name = line.rstrip('\n').split('\t')
            names[int(index)] = name
    ids = records.ids.tolist()
    if sorted(names) != sorted(ids):
        raise DataError(f'{path} has other indices than the ids of {records.path}: remove it, or pack again')
    found = [checked_name(names[number], str(path)) for number in ids]
    if len(set(found)) < len(found):
        raise DataError(f'{path}: a path occurs twice')
    return found


def is_list(source: Path) -> bool:
    """Whether a source is a list of im2rec with labels of detection."""
    if not (source.is_file() and source.suffix == _SUFFIX):
        return False
    try:
        _, labels = read_list(source, ListedLabels(every=True))
    except CbamError:
        return False
    return all(len(row) > 1 for row in labels) and not _objects(labels).faults


def _objects(labels: object) -> Objects:
    rows = [np.asarray(row, np.float32) for row in labels]  # type: ignore[attr-defined]
    return read_objects(np.concatenate(rows), np.array([len(row) for row in rows]))


def read_box_list(source: Path, options: ReadOptions) -> BoxSet:
    """Read a list of im2rec with labels of detection."""
    found, labels = read_list(source, ListedLabels(every=True))
    root, faults = options.root or source.parent, Faults()
    objects, names = _objects(labels), [checked_name(name, str(source)) for name in found]
    for fault in objects.faults:
        faults.add('unreadable', f'{source}: line {fault.record + 1}', fault.text())
    sizes, boxes, kept = [], [], []
    bounds = np.searchsorted(objects.records, np.arange(len(names) + 1))
    faulty = {fault.record for fault in objects.faults}
    for number in options.progress(range(len(names)), len(names), source.stem):
        size = None if number in faulty else file_size(root / names[number], faults)
        if size is not None:
            kept.append(names[number])
            sizes.append(size)
            boxes.append(to_boxes(objects.values[bounds[number] : bounds[number + 1]], *size))
    given = options.given_classes(source.parent)
    count = 1 + int(objects.values[:, 0].max()) if len(objects.values) else 1
    classes = tuple(given) if given else tuple(str(index) for index in range(count))
    part = BoxPart(
        source.stem, joined(kept, sizes, boxes, None), root, PictureFiles(root, kept),
        lambda number: f'{source}: {printable(kept[number])}', 'object', faults,
    )  # fmt: skip
    return BoxSet('lst', classes, [part])

"""Detection records and the lists that they are packed from, as sets of pictures with boxes.

A list, ``train.lst``, has ``index, A, B, ..., path`` in each line, separated by tabs. Beside ``train.rec``, with the
ids of its records as indices, it gives the names of the pictures; without it they are named after their numbers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.class_names import names_beside
from gluon_cbam.data.decoding import IMAGE_ENDINGS, format_of
from gluon_cbam.data.records.detection import is_detection
from gluon_cbam.data.records.labels import are_classes
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.file_paths import FilePath
from gluon_cbam.data.sources.labels import ListedLabels, read_list
from gluon_cbam.data.sources.splits import SPLITS

from .columns import BoxColumns
from .faults import Faults
from .labels import to_boxes
from .objects import Objects, read_objects
from .reading import ReadOptions, checked_name, file_size
from .records import all_objects, record_size
from .segmentation_files import Segmentations, read_segmentations
from .sets import BoxPart, BoxSet, PictureFiles, PictureRecords
from .table import Boxes

_SUFFIX = '.lst'
_SIGNATURE = 64  # bytes that tell the format of a picture


def find_records(source: FilePath) -> Dict[str, Path]:
    """The detection records of a source: a ``.rec`` file, or the files of a folder that are named after splits.

    Returns:
        Name of the file without its suffix -> path; empty if none of them has boxes. One of other records beside one
        with boxes is not left out: reading finds its faults.
    """
    if not isinstance(source, Path):
        return {}  # records in a tar file are not read
    places = [source] if source.is_file() else [source / f'{split}.rec' for split in SPLITS]
    files = {path.stem: path for path in places if path.is_file() and path.suffix == '.rec'}
    return files if any(map(_has_boxes, files.values())) else {}


def _has_boxes(path: Path) -> bool:
    try:
        return is_detection(RecordFile(path, indexed=False, faces=True))
    except CbamError:
        return False


def read_records(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read detection records; faults of their labels are counted, not raised."""
    parts, names, count = [], options.given_classes(), 1
    ids: List[Dict[str, int]] = []
    assert isinstance(source, Path)  # it was found in none else
    files = {source.stem: source} if source.is_file() else find_records(source)
    for name, path in files.items():
        records = RecordFile(path, indexed=False)
        objects = all_objects(records)
        names = names or names_beside(path).names
        labels = objects.values[:, 0]
        count = max([count, *(1 + np.unique(labels[are_classes(labels)]).astype(np.int64)).tolist()])
        segmented = read_segmentations(records)
        ids.append({} if segmented is None else segmented.category_ids)
        parts.append(_record_part(name, records, objects, options, segmented))
    classes = tuple(names) if names else tuple(str(index) for index in range(count))
    result = BoxSet('rec', classes, parts)
    if all(each == ids[0] for each in ids):
        result.of_categories(ids[0])
    return result


def _record_part(
    name: str, records: RecordFile, objects: Objects, options: ReadOptions, segmented: Optional[Segmentations]
) -> BoxPart:
    faults, pictures = Faults(), PictureRecords(records.path, records.offsets)

    def where(number: int) -> str:
        return f'{records.path}: record {number} at offset {records.offset(number)}'

    for fault in objects.faults:
        faults.add('unreadable', where(fault.record), fault.text())
    names, sizes = _listed_names(records) or [f'{name}_{number:06d}' for number in range(len(records))], []
    for number in options.progress(range(len(records)), len(records), name):
        sizes.append(_size(records, number, where(number), objects.sizes[number], faults))
        names[number] = _with_ending(names[number], records.image_begin(number, _SIGNATURE))
    good = objects.without_faults()
    columns = joined(names, sizes, _boxes_of(good, sizes), records.ids.astype(np.int64), good.numbers)
    if segmented is not None and segmented.objects:
        columns.boxes = replace(columns.boxes, segmentations=_segmentations_of(good, segmented))
    return BoxPart(name, columns, records.path, pictures, where, 'object', faults)


def _segmentations_of(objects: Objects, segmented: Segmentations) -> np.ndarray:
    """The segmentation of each object, (n,)."""
    pairs = zip(objects.records.tolist(), objects.numbers.tolist())
    texts = [segmented.objects[record][number] if record in segmented.objects else '' for record, number in pairs]
    return np.array([*texts, ''], object)[:-1]


def _size(records: RecordFile, number: int, where: str, stated: np.ndarray, faults: Faults) -> Tuple[int, int]:
    """Height and width of the picture of a record; 0, 0 where it cannot be read, which reading it finds."""
    try:
        size = record_size(records, number, where)
    except DataError:
        return 0, 0
    width, height = stated.tolist()
    if width > 0 and height > 0 and (height, width) != size:
        faults.add('stated', where, f'{size[1]} x {size[0]} pixels, but {width:g} x {height:g} in its label')
    return size


def _boxes_of(objects: Objects, sizes: List[Tuple[int, int]]) -> List[Boxes]:
    """The boxes of each label in pixels."""
    bounds = np.searchsorted(objects.records, np.arange(len(sizes) + 1))
    return [to_boxes(objects.values[bounds[at] : bounds[at + 1]], *size) for at, size in enumerate(sizes)]


def joined(
    names: List[str], sizes: List[Tuple[int, int]], boxes: List[Boxes], ids: Optional[np.ndarray], numbers: np.ndarray
) -> BoxColumns:
    """The columns of some pictures.

    Args:
        names: path of each picture.
        sizes: height and width of each.
        boxes: the boxes of each.
        ids: (pictures,) int64, id of each; None for none.
        numbers: (n,) int64, the number of each box in its label.
    """
    counts = np.array([len(each) for each in boxes], np.int64)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    fields = ('corners', 'classes', 'difficult', 'crowd', 'areas')
    every = [Boxes.empty(), *boxes]
    whole = Boxes(*(np.concatenate([getattr(each, name) for each in every]) for name in fields))
    return BoxColumns(names, np.array(sizes, np.int64).reshape(-1, 2), whole, bounds, numbers, ids)


def _with_ending(name: str, begin: bytes) -> str:
    """The name of a picture with an ending of its format, which may be another than that of its file was."""
    row = format_of(begin)
    if row is None or name.lower().endswith(row.endings):
        return name
    stem = name[: name.rindex('.')] if name.lower().endswith(IMAGE_ENDINGS) else name
    return stem + row.endings[0]


def _listed_names(records: RecordFile) -> Optional[List[str]]:
    """The names in the list beside a file of records; None without one.

    Raises:
        DataError: the list is of other records.
    """
    path = records.path.with_suffix(_SUFFIX)
    if not path.is_file():
        return None
    lines: Dict[int, List[str]] = {}
    with reading(path), open(path, encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        for line in file:
            index, *rest = line.rstrip('\n').split('\t')
            lines[int(index)] = rest
    ids = records.ids.tolist()
    if len(set(ids)) < len(ids):  # a tool that gives all records one id
        return None
    same = sorted(lines) == sorted(ids) and all(
        _has_label(lines[number], records.labels_of(at)) for at, number in enumerate(ids)
    )
    if not same:
        raise DataError(f'{path} lists other records than those of {records.path}: remove it, or pack again')
    return [checked_name(lines[number][-1], str(path)) for number in ids]


def _has_label(fields: List[str], label: np.ndarray) -> bool:
    """Whether the fields of a line after its index, labels and a path, have the label of a record."""
    try:
        values = np.array(fields[:-1], np.float32)
    except ValueError:
        return False
    return values.shape == label.shape and np.allclose(values, label, rtol=1e-4, atol=1e-4, equal_nan=True)


def is_list(source: FilePath) -> bool:
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


def read_box_list(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read a list of im2rec with labels of detection."""
    found, labels = read_list(source, ListedLabels(every=True))
    root, faults = options.root or source.parent, Faults()
    objects, names = _objects(labels), [checked_name(name, str(source)) for name in found]
    for fault in objects.faults:
        faults.add('unreadable', f'{source}: line {fault.record + 1}', fault.text())
    sizes = [
        file_size(root / name, faults) for name in options.progress(names, len(names), source.stem)
    ]  # of pictures that cannot be read, there is none
    good = objects.without_faults()
    columns = joined(names, [size or (0, 0) for size in sizes], _boxes_of(good, [size or (1, 1) for size in sizes]),
                     None, good.numbers)  # fmt: skip
    columns = columns.chosen(np.flatnonzero([size is not None for size in sizes]))
    given, kept = options.given_classes(source.parent), columns.names
    count = 1 + int(good.values[:, 0].max()) if len(good.values) else 1
    classes = tuple(given) if given else tuple(str(index) for index in range(count))
    part = BoxPart(
        source.stem, columns, root, PictureFiles(root, kept), lambda number: f'{source}: {printable(kept[number])}',
        'object', faults,
    )  # fmt: skip
    return BoxSet('lst', classes, [part])

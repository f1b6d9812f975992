"""Reading COCO's JSON of objects: ``instances_*.json``, or ``_annotations.coco.json`` beside the pictures.

The classes are the categories in the order of their ids, which may have gaps. ``difficult``, or ``ignore``, of an
annotation is read as Pascal VOC's flag.
"""

from __future__ import annotations

from array import array
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.json_stream import read_lists
from gluon_cbam.common.listing import listed
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.sources.file_paths import FilePath

from .coco_files import (
    LISTS,
    check_files,
    find_files,
    pictures_folder,
    stated_size,
    unused_files,
    whole_number,
)
from .columns import BoxColumns, BoxRows
from .faults import Faults
from .reading import ReadOptions, check_classes, checked_name, count_unannotated, file_size
from .segmentations import normalized
from .sets import BoxPart, BoxSet, PictureFiles
from .table import Boxes, box_areas

_ROTATIONS = 'rotations of boxes'  # of CVAT
_FLAGS = (0, 1)  # True and False are equal to them


def read_coco(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read a set in COCO's format; see :func:`.coco_files.find_files`."""
    files = find_files(source)
    result, ids_of = BoxSet('coco', (), []), []
    for name, path in files.items():
        raw = _Raw(path)
        classes = raw.class_names()
        ids_of.append({name: number for number, name in raw.categories.items()})
        if result.parts and classes != result.classes:
            raise DataError(f'{path} has other categories than {next(iter(files.values()))}')
        result.classes = classes
        given = options.given_classes()
        result.parts.append(raw.part(name, options, given))
        if raw.rotated:
            result.lost[_ROTATIONS] = result.lost.get(_ROTATIONS, 0) + raw.rotated
    given = options.given_classes()
    if given is not None:
        result.classes = tuple(given)
    if all(ids == ids_of[0] for ids in ids_of):
        result.of_categories(ids_of[0])
    for path in unused_files(files) if source.is_dir() else ():
        result.left_out.add('unlisted', str(path))
    for part in result.parts:
        count_unannotated(part.root, part.columns.names, result.left_out)
    return result


class _Raw:
    """The lists of a file, as columns, in the order of the file."""

    def __init__(self, path: FilePath) -> None:
        self.path = path
        self.rows, self.faults = BoxRows(), Faults()
        self.categories: Dict[int, str] = {}
        self.rotated = 0
        self._corners, self._areas = array('d'), array('d')
        self._ids, self._images, self._labels = array('q'), array('q'), array('q')
        self._difficult, self._crowd = bytearray(), bytearray()
        self._segmentations: List[str] = []
        self._image_ids = array('q')
        counts = read_lists(
            path, {'images': self._image, 'annotations': self._annotation, 'categories': self._category}
        )
        missing = [name for name in LISTS if name not in counts]
        if missing:
            raise DataError(f"{path}: no annotations of objects in COCO's format: it has no list {listed(missing)}")
        if len(set(self._image_ids)) < len(self._image_ids):
            raise DataError(f'{path}: an id of an image occurs twice')
        check_files(path, self._image_ids, self.rows.names)

    def _image(self, item: Any) -> None:
        number = whole_number(item, 'id')
        if number < 0:
            raise ValueError(f'the id {number} is negative')
        name = item.get('file_name')
        if name is None:
            name = str(item.get('coco_url', '')).rpartition('/')[2]
        self.rows.image(checked_name(name, f'{self.path}: image {number}'), *stated_size(item), number)
        self._image_ids.append(number)

    def _category(self, item: Any) -> None:
        number = whole_number(item, 'id')
        name = item.get('name')
        if not isinstance(name, str):
            raise ValueError(f'its name is {shown(name)}')
        if number in self.categories:
            raise ValueError(f'the id {number} occurs twice')
        self.categories[number] = name

    def _annotation(self, item: Any) -> None:
        number = whole_number(item, 'id') if isinstance(item, dict) and 'id' in item else len(self._ids) + 1
        image, label = whole_number(item, 'image_id'), whole_number(item, 'category_id')
        try:
            x, y, width, height = _numbers(item['bbox'])
            (area,) = _numbers([item['area']]) if item.get('area') is not None else (float('nan'),)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.faults.add(
                'unreadable',
                f'{self.path}: annotation {number}',
                f'bbox {shown(item.get("bbox"))}, area {shown(item.get("area"))}',
            )
            return
        try:
            segmentation = normalized(item.get('segmentation'))
        except ValueError as error:
            segmentation = ''
            self.faults.add('mask', f'{self.path}: annotation {number}', str(error))
        crowd, difficult = item.get('iscrowd') or 0, item.get('difficult') or item.get('ignore') or 0
        if crowd not in _FLAGS or difficult not in _FLAGS:
            raise ValueError(
                f'the flags iscrowd, difficult and ignore are 0 or 1, got {shown(crowd)}, {shown(difficult)}'
            )
        attributes = item.get('attributes')
        self.rotated += bool(isinstance(attributes, dict) and attributes.get('rotation'))
        self._segmentations.append(segmentation)
        self._corners.extend((x, y, x + width, y + height))
        self._areas.append(area)
        self._ids.append(number)
        self._images.append(image)
        self._labels.append(label)
        self._crowd.append(int(crowd))
        self._difficult.append(int(difficult))

    def class_names(self) -> Tuple[str, ...]:
        """The names of the categories in the order of their ids."""
        names = tuple(self.categories[number] for number in sorted(self.categories))
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f'{self.path}: two categories are named {shown(twice)}')
        if not names:
            raise DataError(f'{self.path}: it has no categories')
        check_classes(names, self.path)
        return names

    def part(self, name: str, options: ReadOptions, given: Optional[List[str]]) -> BoxPart:
        """The pictures with their boxes."""
        columns = self._columns(given)
        root = pictures_folder(self.path, name, columns.names, options.root)
        self._add_sizes(columns, root)
        path = self.path
        return BoxPart(
            name, columns, root, PictureFiles(root, columns.names), lambda number: str(path), 'annotation', self.faults
        )  # fmt: skip

    def _columns(self, given: Optional[List[str]]) -> BoxColumns:
        pictures = self.rows.columns()
        ids = np.array(self._image_ids, np.int64)
        owners, known = _places(ids, np.array(self._images, np.int64))
        labels, named = self._final_labels(given)
        self._refuse(~known, 'missing', 'image_id', self._images)
        self._add_equal_ids()
        self._refuse(known & ~named, 'class', 'category_id', self._labels)
        used = np.flatnonzero(known & named)
        order = used[np.argsort(owners[used], kind='stable')]
        corners = np.array(self._corners, np.float64).reshape(-1, 4)[order]
        areas = np.array(self._areas, np.float64)[order]
        boxes = Boxes(
            corners, labels[order], np.frombuffer(bytes(self._difficult), bool)[order],
            np.frombuffer(bytes(self._crowd), bool)[order], np.where(np.isnan(areas), box_areas(corners), areas),
            np.array(self._segmentations, object)[order] if any(self._segmentations) else None,
        )  # fmt: skip
        bounds = np.searchsorted(owners[order], np.arange(len(ids) + 1))
        return BoxColumns(pictures.names, pictures.sizes, boxes, bounds, np.array(self._ids, np.int64)[order], ids)

    def _add_equal_ids(self) -> None:
        ordered = np.sort(np.array(self._ids, np.int64))
        for number in ordered[1:][ordered[1:] == ordered[:-1]].tolist():
            self.faults.add('id', f'{self.path}: annotation {number}', 'another one has its id')

    def _final_labels(self, given: Optional[List[str]]) -> Tuple[np.ndarray, np.ndarray]:
        """The class of each annotation, and whether it has one."""
        numbers = np.array(sorted(self.categories), np.int64)
        places, known = _places(numbers, np.array(self._labels, np.int64))
        if given is None:
            return places, known
        indices = np.array([given.index(self.categories[n]) if self.categories[n] in given else -1 for n in numbers])
        labels = indices[places]
        return labels, known & (labels >= 0)

    def _refuse(self, which: np.ndarray, kind: str, key: str, values: array) -> None:
        """Add a fault for each of some annotations."""
        for at in np.flatnonzero(which).tolist():
            number, value = self._ids[at], values[at]
            name = f', {shown(self.categories[value])}' if kind == 'class' and value in self.categories else ''
            self.faults.add(kind, f'{self.path}: annotation {number}', f'{key} {value}{name} is unknown')

    def _add_sizes(self, columns: BoxColumns, root: FilePath) -> None:
        """Read the sizes of the pictures that have none in the file."""
        for number in np.flatnonzero((columns.sizes <= 0).any(axis=1)).tolist():
            size = file_size(root / columns.names[number], self.faults)
            columns.sizes[number] = (0, 0) if size is None else size


def _numbers(values: Any) -> List[float]:
    """The numbers in a list; texts and flags are none."""
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise ValueError('no list of numbers')
    return list(map(float, values))


def _places(ids: np.ndarray, values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The index of each value among some ids, and whether it is one of them."""
    if not len(ids):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    order = np.argsort(ids, kind='stable')
    places = order[np.minimum(np.searchsorted(ids[order], values), len(ids) - 1)]
    return places, ids[places] == values

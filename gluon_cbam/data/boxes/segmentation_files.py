"""The segmentations of detection records, and COCO's ids of their classes: ``train.segmentations.json`` beside them.

A label of a record is numbers alone, so that they have a file of their own: ``categories``, a list of ``id`` and
``name``, and ``records``, which has for each record with segmentations its ``id``, the CRC-32 of its label (float32,
little-endian) as ``label``, and ``segmentations``, one for each object of the label, null for an object without.
"""

from __future__ import annotations

import json
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.json_stream import read_lists
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.records.recordio import RecordFile

from .segmentations import mask_size, normalized
from .table import Boxes

Add = Callable[[int, np.ndarray, Boxes], None]
"""Adds the id, the label and the boxes of a record."""


class Segmentations(NamedTuple):
    """What a file has.

    Attributes:
        category_ids: name of each category -> its id.
        objects: index of a record -> the segmentation of each object of its label.
    """

    category_ids: Dict[str, int]
    objects: Dict[int, List[str]]


def segmentations_path(path: PathLike) -> Path:
    """The path of the segmentations of a ``.rec`` file.

    Args:
        path: path of the ``.rec`` file.
    """
    return Path(path).with_suffix('.segmentations.json')


@contextmanager
def segmentations_writer(
    path: PathLike, classes: Sequence[str], category_ids: Optional[Sequence[int]]
) -> Iterator[Add]:
    """Write the segmentations of a ``.rec`` file; they get their final name where the block ends without an error.

    Args:
        path: path of the ``.rec`` file.
        classes: names of the classes.
        category_ids: COCO's id of each; None for none.

    Yields:
        What is called for each record, in any order.
    """
    categories = [{'id': number, 'name': name} for number, name in zip(category_ids or (), classes)]
    with atomic_path(segmentations_path(path)) as temporary, temporary.open(
        'w', encoding='utf-8', newline='\n'
    ) as file:
        file.write(f'{{"categories": {json.dumps(categories)},\n"records": [')
        written: List[int] = []

        def add(record: int, label: np.ndarray, boxes: Boxes) -> None:
            if boxes.segmented and boxes.segmentations is not None:
                texts = ','.join(text or 'null' for text in boxes.segmentations)
                begin = f'{{"id":{record},"label":{_checksum(label)},"segmentations":['
                file.write((',\n' if written else '\n') + f'{begin}{texts}]}}')
                written.append(record)

        yield add
        file.write(']}\n')


def _checksum(label: np.ndarray) -> int:
    return zlib.crc32(np.asarray(label, '<f4').tobytes())


def read_segmentations(records: RecordFile) -> Optional[Segmentations]:
    """Read the segmentations beside a ``.rec`` file.

    Args:
        records: the record file.

    Returns:
        The segmentations; None where there is no such file.

    Raises:
        DataError: the file is damaged, or of other records.
    """
    path = segmentations_path(records.path)
    if not path.is_file():
        return None
    places = {number: index for index, number in enumerate(records.ids.tolist())}
    found = Segmentations({}, {})

    def record(item: Any) -> None:
        keys = ('id', 'label', 'segmentations')
        number, label, values = (item.get(key) if isinstance(item, dict) else None for key in keys)
        if type(number) is not int or not isinstance(values, list):
            raise ValueError(f'a record has an id and segmentations, got {shown(item)}')
        index = places.get(number)
        if index is None or label != _checksum(records.labels_of(index)):
            raise ValueError(f'it is of another record than that with the id {number}: pack the records again')
        found.objects[index] = [normalized(value) for value in values]

    counts = read_lists(path, {'categories': partial(_add_category, found.category_ids), 'records': record})
    if len(counts) < len(('categories', 'records')):
        raise DataError(f'{path}: it has no lists categories and records: pack {records.path} again')
    return found


def read_objects_of(records: RecordFile, counts: Sequence[int], sizes: np.ndarray) -> Dict[int, List[str]]:
    """Read the segmentations beside a ``.rec`` file, and compare them with its labels.

    Args:
        records: the record file.
        counts: the number of objects of each record.
        sizes: (records, 2), width and height that each label states; nan where it does not.

    Returns:
        Index of a record -> the segmentation of each of its objects; empty where there is no such file.

    Raises:
        DataError: the file is damaged, or a record has segmentations of other objects or of a picture of another size.
    """
    found = read_segmentations(records)
    for index, texts in ({} if found is None else found.objects).items():
        where = f'{segmentations_path(records.path)}: record {index}'
        if len(texts) != counts[index]:
            raise DataError(f'{where} has {len(texts)} segmentations, its label {counts[index]} objects: pack it again')
        width, height = sizes[index].tolist()
        for number, size in enumerate(mask_size(text) if text else (0, 0) for text in texts):
            if size not in ((0, 0), (height, width)) and not np.isnan(width):
                raise DataError(
                    f'{where}: object {number} has a mask of {size[1]} x {size[0]} pixels, the picture has {width:g} x '
                    f'{height:g}'
                )
    return {} if found is None else found.objects


def read_category_ids(path: PathLike, classes: Sequence[str]) -> Optional[List[int]]:
    """COCO's id of each class of a ``.rec`` file.

    Args:
        path: path of the ``.rec`` file.
        classes: names of its classes.

    Returns:
        The ids; None where the file has none for one of the classes.

    Raises:
        DataError: the file beside it is damaged.
    """
    beside = segmentations_path(path)
    ids: Dict[str, int] = {}
    if beside.is_file():
        read_lists(beside, {'categories': partial(_add_category, ids)})
    return [ids[name] for name in classes] if classes and set(classes) <= set(ids) else None


def _add_category(ids: Dict[str, int], item: Any) -> None:
    number, name = (item.get(key) if isinstance(item, dict) else None for key in ('id', 'name'))
    if type(number) is not int or not isinstance(name, str):
        raise ValueError(f'a category is an id and a name, got {shown(item)}')
    ids[name] = number

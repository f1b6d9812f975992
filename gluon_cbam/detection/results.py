"""Results of detection in COCO's format: a JSON list with an entry for each detection.

An entry is ``{"image_id": 42, "category_id": 18, "bbox": [x, y, width, height], "score": 0.9}``, in pixels. All entries
or none have a ``segmentation`` besides, a mask ``{"size": [height, width], "counts": "..."}``. Further keys are not
read. Source: the page "Results Format" of COCO, and ``COCO.loadRes`` of
pycocotools.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, List, Mapping, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.json_stream import read_list
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.boxes.segmentations import normalized
from gluon_cbam.tasks.detection.detections import Detections

from .numbering import CocoIds

MAX_DETECTIONS = 1 << 24
"""The most detections in a file; they take a gigabyte."""
_LARGEST = 1e9  # of a coordinate, so that areas are finite


def read_results(path: PathLike, ids: CocoIds) -> List[Detections]:
    """Read results.

    Args:
        path: path of the file.
        ids: the ids of the data that the results belong to.

    Returns:
        The detections of each image in the order of ``ids``; those of an image keep their order.

    Raises:
        UsageError: there is no such file.
        DataError: the file is no JSON list, or has more than :data:`MAX_DETECTIONS` entries; or an entry lacks a value,
            has one that is no number or not finite, a box without four numbers or of negative size, a wrong mask, or an
            image or a category that the data do not have; or some entries have masks and others none. The message has
            the number of the entry, from 0.
    """
    if not Path(path).exists():
        raise UsageError(f'no file of results {str(path)!r}')
    images, classes = ids.image_places(), {number: index for index, number in enumerate(ids.categories)}
    owners, labels, values = array('q'), array('q'), array('d')
    masks: List[str] = []

    def add(entry: Any) -> None:
        if len(owners) == MAX_DETECTIONS:
            raise DataError(f'there may be no more than {MAX_DETECTIONS} detections')
        owner, label, row = _entry(entry, images, classes)
        mask = _segmentation(entry)
        if owners and bool(mask) != bool(masks):
            raise DataError('some entries have a segmentation and others have none')
        masks.extend([mask] if mask else [])
        owners.append(owner)
        labels.append(label)
        values.extend(row)

    read_list(path, add, 'entry')
    return _split(np.array(owners, np.int64), np.array(labels, np.int64), np.array(values), masks, len(ids.images))


def _entry(
    entry: Any, images: Mapping[Any, int], classes: Mapping[Any, int]
) -> Tuple[int, int, Tuple[float, float, float, float, float]]:
    """Index of the image, index of the class, and score and box of an entry."""
    if not isinstance(entry, dict):
        raise DataError(f'{shown(entry)} is no mapping')
    missing = [key for key in ('image_id', 'category_id', 'bbox', 'score') if key not in entry]
    if missing:
        raise DataError(f'it has no {missing[0]}: an entry has image_id, category_id, bbox and score')
    owner, label = (
        _place(entry[key], key, known) for key, known in (('image_id', images), ('category_id', classes))
    )  # fmt: skip
    box = entry['bbox']
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(f'bbox is {shown(box)}: it must be [x, y, width, height]')
    score, left, top, width, height = (_number(value) for value in (entry['score'], *box))
    if width < 0 or height < 0:
        raise DataError(f'bbox is {shown(box)}: width and height must not be negative')
    return owner, label, (score, left, top, left + width, top + height)


def _segmentation(entry: Mapping[str, Any]) -> str:
    """The mask of an entry as :func:`gluon_cbam.data.boxes.segmentations.normalized` gives it; empty for none."""
    value = entry.get('segmentation')
    if value is None:
        return ''
    if not isinstance(value, dict):
        raise DataError(f'segmentation is {shown(value)}: it must be a mask of size and counts')
    return normalized(value)


def _place(value: Any, key: str, known: Mapping[Any, int]) -> int:
    """The index of an id."""
    plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    if not plain or value not in known:
        ids = [number for number in known if isinstance(number, int)]
        extent = f'{len(ids)} from {min(ids)} to {max(ids)}' if ids else 'none'
        raise DataError(f'{key} {shown(value)} is not in the data, whose ids are {extent}')
    return known[value]


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise DataError(f'{shown(value)} is no number of at most {_LARGEST:g}')
    return float(value)


def _split(
    owners: np.ndarray, labels: np.ndarray, values: np.ndarray, masks: Sequence[str], images: int
) -> List[Detections]:
    """The detections of each image."""
    order = np.argsort(owners, kind='stable')
    rows, labels = values.reshape(-1, 5)[order], labels[order]
    bounds = np.searchsorted(owners[order], np.arange(images + 1))
    texts = np.array([*masks, ''], object)[:-1][order] if masks else None
    return [
        Detections(
            labels[start:stop], rows[start:stop, 0], rows[start:stop, 1:],
            None if texts is None else texts[start:stop],
        )
        for start, stop in zip(bounds, bounds[1:])
    ]  # fmt: skip


def write_results(path: PathLike, detections: Sequence[Detections], ids: CocoIds) -> None:
    """Write results, which :func:`read_results` reads again without loss of precision.

    Args:
        path: path of the file, which is replaced.
        detections: the detections of each image.
        ids: the ids of the images and categories, in the same order.
    """
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        separator = '['
        for image, found in zip(ids.images, detections):
            boxes = np.concatenate([found.corners[:, :2], found.corners[:, 2:] - found.corners[:, :2]], axis=1)
            texts = [''] * len(found) if found.segmentations is None else found.segmentations.tolist()
            rows = zip(found.classes.tolist(), found.scores.tolist(), boxes.tolist(), texts)
            for label, score, box, text in rows:
                mask = f', "segmentation": {text}' if text else ''
                file.write(
                    f'{separator}{{"image_id": {image}, "category_id": {ids.categories[label]}, "bbox": {box}, '
                    f'"score": {score!r}{mask}}}'
                )
                separator = ',\n'
        file.write(']\n' if separator != '[' else '[]\n')

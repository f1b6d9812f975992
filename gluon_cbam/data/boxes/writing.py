"""Writing pictures with boxes in the formats of others: the files of annotations, and the paths of the pictures.

Corners are written with up to nine digits after the point, of which reading loses none.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import IO, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence
from xml.sax.saxutils import escape

import numpy as np
import yaml

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.class_names import write_classes

from .columns import BoxColumns
from .table import Boxes, ImageBoxes, box_areas

_DECIMALS = 9
_CSV_NEEDED = ('path', 'class', 'xmin', 'ymin', 'xmax', 'ymax')
SAME_AREA = 1e-6
"""The relative difference up to which an area is that of its box."""


class Output(NamedTuple):
    """A split to write.

    Attributes:
        name: its name.
        columns: the pictures, under the names that they get, and their boxes.
        category_ids: COCO's id of each class; None to count from 1.
    """

    name: str
    columns: BoxColumns
    category_ids: Optional[Sequence[int]] = None


class Writer(NamedTuple):
    """How a format is written.

    Attributes:
        picture: the path of a picture in the folder of the output, from the name of its split and its own.
        flat: whether all pictures are in one folder, so that their names have no folders and are unique.
        stems: whether the names without their endings must be unique in a folder.
        write: writes the annotations; called with the folder, the splits and the names of the classes.
    """

    picture: Callable[[str, str], str]
    flat: bool
    stems: bool
    write: Callable[[Path, Sequence[Output], Sequence[str]], None]


def areas_of_masks(boxes: Boxes) -> np.ndarray:
    """Whether each box has another area than its own: (n,) bool."""
    own = box_areas(boxes.corners)
    return np.abs(boxes.areas - own) > SAME_AREA * np.abs(own)


def _rounded(values: np.ndarray) -> List[float]:
    return (np.round(values, _DECIMALS) + 0.0).tolist()


def _text(value: float) -> str:
    """A number without superfluous digits."""
    return np.format_float_positional(round(value, _DECIMALS) + 0.0, trim='-')


def _open(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, 'w', encoding='utf-8', newline='\n')


def write_coco(folder: Path, outputs: Sequence[Output], classes: Sequence[str]) -> None:
    """Write ``annotations/instances_SPLIT.json``; ids of categories and of pictures that have none count from 1."""
    annotation = 0
    for output in outputs:
        ids = output.category_ids or range(1, len(classes) + 1)
        with _open(folder / 'annotations' / f'instances_{output.name}.json') as file:
            file.write('{"images": [')
            columns = output.columns.numbered()
            for number, image in enumerate(columns):
                value: Dict[str, object] = {'id': image.id, 'file_name': image.name}
                value.update(width=image.width, height=image.height)
                file.write((',\n' if number else '\n') + json.dumps(value))
            file.write('],\n"annotations": [')
            begin = annotation
            for image in columns:
                for value in _coco_boxes(image, ids):
                    value['id'] = annotation + 1
                    file.write((',\n' if annotation > begin else '\n') + json.dumps(value))
                    annotation += 1
            categories = [{'id': number, 'name': name} for number, name in sorted(zip(ids, classes))]
            file.write(f'],\n"categories": {json.dumps(categories)}}}\n')


def _coco_boxes(image: ImageBoxes, ids: Sequence[int]) -> Iterator[Dict[str, object]]:
    boxes = image.boxes
    sides = np.column_stack([boxes.corners[:, :2], boxes.corners[:, 2:] - boxes.corners[:, :2]])
    for number, box in enumerate(_rounded(sides)):
        value: Dict[str, object] = {
            'image_id': image.id, 'category_id': ids[boxes.classes[number]], 'bbox': box,
            'area': float(boxes.areas[number]), 'iscrowd': int(boxes.crowd[number]),
        }  # fmt: skip
        if boxes.difficult[number]:
            value['difficult'] = 1
        if boxes.segmentations is not None and boxes.segmentations[number]:
            value['segmentation'] = json.loads(boxes.segmentations[number])
        yield value


def write_voc(folder: Path, outputs: Sequence[Output], classes: Sequence[str]) -> None:
    """Write ``Annotations/*.xml`` and ``ImageSets/Main/SPLIT.txt``."""
    for output in outputs:
        with _open(folder / 'ImageSets' / 'Main' / f'{output.name}.txt') as names:
            for image in output.columns:
                stem = image.name.rpartition('.')[0] or image.name
                names.write(f'{stem}\n')
                with _open(folder / 'Annotations' / f'{stem}.xml') as file:
                    file.writelines(f'{line}\n' for line in _voc_lines(image, classes))
    write_classes(folder, classes)


def _voc_lines(image: ImageBoxes, classes: Sequence[str]) -> Iterator[str]:
    if not image.name.isprintable():
        raise DataError(f"'{printable(image.name)}' cannot be written in XML: rename the picture")
    yield '<annotation>'
    yield f'<folder>JPEGImages</folder><filename>{escape(image.name)}</filename>'
    yield f'<size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>'
    yield '<segmented>0</segmented>'
    boxes = image.boxes
    corners = boxes.corners + [1, 1, 0, 0]
    for row, label, difficult in zip(corners.tolist(), boxes.classes.tolist(), boxes.difficult.tolist()):
        yield f'<object><name>{escape(classes[label])}</name><pose>Unspecified</pose><truncated>0</truncated>'
        yield (
            f'<difficult>{int(difficult)}</difficult><bndbox>'
            + ''.join(f'<{name}>{_text(value)}</{name}>' for name, value in zip(_CSV_NEEDED[2:], row))
            + '</bndbox></object>'
        )
    yield '</annotation>'


def write_yolo(folder: Path, outputs: Sequence[Output], classes: Sequence[str]) -> None:
    """Write ``labels/SPLIT/*.txt`` and ``data.yaml``."""
    for output in outputs:
        for image in output.columns:
            with _open((folder / 'labels' / output.name / image.name).with_suffix('.txt')) as file:
                corners = image.boxes.corners / [image.width, image.height, image.width, image.height]
                centers, sides = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
                for label, row in zip(image.boxes.classes.tolist(), np.column_stack([centers, sides]).tolist()):
                    file.write(f'{label} ' + ' '.join(f'{value:.12g}' for value in row) + '\n')
    value = {**{output.name: f'images/{output.name}' for output in outputs}, 'names': dict(enumerate(classes))}
    with _open(folder / 'data.yaml') as file:
        yaml.safe_dump(value, file, allow_unicode=True, sort_keys=False)


_EXTRA: Dict[str, Callable[[Boxes], np.ndarray]] = {
    'difficult': lambda boxes: boxes.difficult,
    'crowd': lambda boxes: boxes.crowd,
    'area': areas_of_masks,
}


def write_csv(folder: Path, outputs: Sequence[Output], classes: Sequence[str]) -> None:
    """Write ``SPLIT.csv`` with a header; flags and areas have columns where a box has one."""
    every = [output.columns.boxes for output in outputs]
    extra = [name for name, found in _EXTRA.items() if any(found(boxes).any() for boxes in every)]
    for output in outputs:
        with _open(folder / f'{output.name}.csv') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow([*_CSV_NEEDED, *extra])
            for image in output.columns:
                path = f'{output.name}/{image.name}'
                if not len(image.boxes):
                    writer.writerow([path] + [''] * (len(_CSV_NEEDED) - 1 + len(extra)))
                writer.writerows([path, *row] for row in _csv_rows(image.boxes, classes, extra))
    write_classes(folder, classes)


def _csv_rows(boxes: Boxes, classes: Sequence[str], extra: Sequence[str]) -> Iterator[List[str]]:
    for number, row in enumerate(boxes.corners.tolist()):
        values = {
            'difficult': str(int(boxes.difficult[number])), 'crowd': str(int(boxes.crowd[number])),
            'area': repr(float(boxes.areas[number])),
        }  # fmt: skip
        yield [classes[boxes.classes[number]], *map(_text, row), *(values[name] for name in extra)]


WRITERS: Dict[str, Writer] = {
    'coco': Writer(lambda split, name: f'{split}/{name}', False, False, write_coco),
    'voc': Writer(lambda split, name: f'JPEGImages/{name}', True, True, write_voc),
    'yolo': Writer(lambda split, name: f'images/{split}/{name}', False, True, write_yolo),
    'csv': Writer(lambda split, name: f'{split}/{name}', False, False, write_csv),
}
"""Name of a format -> how it is written. Records are written by :mod:`gluon_cbam.data.preparation.box_packing`."""

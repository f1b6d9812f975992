"""A set of pictures with boxes as it was read: a table for each split, its pictures, and what was not taken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.data.records.recordio import read_record
from gluon_cbam.data.sources.file_paths import FileBytes, FilePath, file_bytes
from gluon_cbam.data.sources.left_out import LeftOut

from .columns import BoxColumns
from .faults import KEPT, KINDS, Faults, wrong_boxes
from .segmentations import mask_size, polygon_bounds
from .table import BoxTable


class RecordPicture(NamedTuple):
    """The picture of a record.

    Attributes:
        path: path of the ``.rec`` file.
        offset: offset of the record in bytes.
    """

    path: str
    offset: int

    def read(self) -> bytes:
        """Read the encoded picture."""
        with open(self.path, 'rb') as file:
            return read_record(file.fileno(), self.offset).image


Picture = Union[FileBytes, RecordPicture]
"""The bytes of a picture in a file: ``read()`` gives them, in any process."""


class Pictures(Protocol):
    """The pictures of a table, in its order."""

    def picture(self, number: int) -> Picture:
        """The picture with an index."""


class PictureFiles:
    """Pictures that are files.

    Args:
        root: their folder.
        names: path of each, relative to it.
    """

    def __init__(self, root: FilePath, names: Sequence[str]) -> None:
        self._root, self._names = root, names

    def picture(self, number: int) -> FileBytes:
        """The picture with an index."""
        return file_bytes(self._root / self._names[number])


class PictureRecords:
    """Pictures in a file of records.

    Args:
        path: path of the file.
        offsets: (pictures,) int64, offset of each record in bytes.
    """

    def __init__(self, path: Path, offsets: np.ndarray) -> None:
        self._path, self._offsets = path, offsets

    def picture(self, number: int) -> RecordPicture:
        """The picture with an index."""
        return RecordPicture(str(self._path), int(self._offsets[number]))


class _Chosen(NamedTuple):
    """Some of other pictures."""

    pictures: Pictures
    numbers: np.ndarray

    def picture(self, number: int) -> Picture:
        return self.pictures.picture(int(self.numbers[number]))


@dataclass(frozen=True)
class BoxPart:
    """The pictures of a split.

    Attributes:
        name: ``train``, ``val``, ``test``, or the name of a file without its suffix.
        columns: the pictures and their boxes.
        root: the folder that their names are relative to, which may be in a tar file, or the file of records that
            holds them.
        pictures: gives the bytes of each.
        file: the file of annotations of a picture, by its index, for messages.
        unit: what the number of a box counts in that file: ``annotation``, ``object`` or ``line``.
        faults: what the reader could not take.
    """

    name: str
    columns: BoxColumns
    root: FilePath
    pictures: Pictures
    file: Callable[[int], str]
    unit: str
    faults: Faults = field(default_factory=Faults)

    def where(self, box: int) -> str:
        """The file and the number of a box, for messages.

        Args:
            box: index of the box among those of all pictures.
        """
        owner = int(np.searchsorted(self.columns.bounds, box, 'right')) - 1
        return f'{self.file(owner)}: {self.unit} {self.columns.numbers[box]}'

    def chosen(self, numbers: np.ndarray, name: str) -> BoxPart:
        """Some of the pictures, as a part of its own, without the faults.

        Args:
            numbers: (m,) int64, their indices in the new order.
            name: name of the part.
        """
        file = self.file
        return replace(
            self, name=name, columns=self.columns.chosen(numbers), pictures=_Chosen(self.pictures, numbers),
            file=lambda number: file(int(numbers[number])), faults=Faults(),
        )  # fmt: skip


@dataclass
class BoxSet:
    """A set of pictures with boxes.

    Attributes:
        format: name of its format, a key of :data:`gluon_cbam.data.boxes.formats.FORMATS`.
        classes: names of the classes, in the order of the class indices.
        parts: the splits, at least one.
        left_out: files that are not used.
        lost: what the table does not hold -> how many.
        category_ids: COCO's id of each class, where a format has them.
    """

    format: str
    classes: Tuple[str, ...]
    parts: List[BoxPart]
    left_out: LeftOut = field(default_factory=LeftOut)
    lost: Dict[str, int] = field(default_factory=dict)
    category_ids: Optional[Tuple[int, ...]] = None

    def of_categories(self, ids: Mapping[str, int]) -> None:
        """Set :attr:`category_ids` where every class has an id.

        Args:
            ids: name of a category -> its id.
        """
        if set(self.classes) <= set(ids):
            self.category_ids = tuple(ids[name] for name in self.classes)

    @property
    def own_category_ids(self) -> int:
        """How many ids of categories there are; 0 where they count from 1, as those that are made do."""
        ids = self.category_ids or ()
        return 0 if sorted(ids) == list(range(1, len(ids) + 1)) else len(ids)

    def table(self, name: Optional[str] = None) -> BoxTable:
        """The table of a part.

        Args:
            name: name of the part; default the first.

        Raises:
            KeyError: there is no such part.
        """
        parts = {part.name: part for part in self.parts}
        part = self.parts[0] if name is None else parts[name]
        return BoxTable(self.classes, part.columns, part.root)


def check_part(part: BoxPart, classes: Tuple[str, ...]) -> Faults:
    """Find what is wrong with the annotations of a part; its pictures are not read.

    Args:
        part: the part.
        classes: names of the classes.

    Returns:
        The faults of its reader and of its boxes.
    """
    faults = Faults()
    faults.update(part.faults)
    for kind, boxes in wrong_boxes(part.columns, len(classes)).items():
        found = np.flatnonzero(boxes)
        for box in found[:KEPT].tolist():
            faults.add(kind, part.where(box), _reason(part, box, kind))
        faults.more(kind, len(found[KEPT:]))
    return faults


def without_wrong_boxes(part: BoxPart, classes: Tuple[str, ...]) -> BoxPart:
    """The part without the boxes that are wrong, as :data:`.faults.KINDS` says."""
    found = wrong_boxes(part.columns, len(classes))
    wrong = np.any([boxes for kind, boxes in found.items() if KINDS[kind].wrong], axis=0)
    return replace(part, columns=part.columns.with_boxes(~wrong)) if wrong.any() else part


def _reason(part: BoxPart, box: int, kind: str) -> str:
    columns = part.columns
    if kind == 'class':
        return f'class {columns.boxes.classes[box]}'
    if kind == 'area':
        return f'area {columns.boxes.areas[box]:.10g}'
    owner = int(np.searchsorted(columns.bounds, box, 'right')) - 1
    height, width = columns.sizes[owner]
    where = f'xmin, ymin, xmax, ymax = {_numbers(columns.boxes.corners[box])} in a picture of {width} x {height}'
    if columns.boxes.segmentations is not None and kind.startswith('mask'):
        return _mask_reason(columns.boxes.segmentations[box], (width, height), where)
    return where


def _mask_reason(segmentation: str, size: Tuple[int, int], box: str) -> str:
    if segmentation.startswith('{'):
        tall, wide = mask_size(segmentation)
        return f'a mask of {wide} x {tall} in a picture of {size[0]} x {size[1]}'
    bounds = np.array(polygon_bounds(segmentation))
    over = np.maximum(-bounds[:, :2], bounds[:, 2:] - size).max(axis=1)
    return f'a polygon has the bounds {_numbers(bounds[over.argmax()])}, its box {box}'


def _numbers(values: np.ndarray) -> str:
    return ', '.join(f'{value:.10g}' for value in values)

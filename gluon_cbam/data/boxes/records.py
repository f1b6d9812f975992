"""An opened file of detection records: its pictures, and the boxes of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.class_names import ClassNames, names_beside
from gluon_cbam.data.decoding import BEGIN, image_size, size_in_begin
from gluon_cbam.data.records.recordio import RecordFile

from .labels import to_boxes
from .objects import CROWD_COLUMN, DIFFICULT_COLUMN, Objects, read_objects
from .reading import MAX_SIDE
from .segmentation_files import read_objects_of
from .table import Boxes


class BoxRecords:
    """A ``.rec`` file of detection records. Opening it reads and checks all labels, and no image.

    Args:
        path: the ``.rec`` file.
        indexed: whether to read the ``.idx`` file, see :class:`~gluon_cbam.data.records.recordio.RecordFile`.

    Attributes:
        path: path of the file.
        records: the record file, for :func:`gluon_cbam.data.records.images.decode_record`.
        names: the names of the classes, from ``classes.txt`` beside the file.
        classes: number of classes: of the names; without them, the largest class of a box and one, at least 1.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged; or a label has a fault, see :func:`.labels.decode`, or a class that
            ``classes.txt`` does not name. The message names the record and the object.
    """

    def __init__(self, path: PathLike, indexed: bool = True) -> None:
        self.records = RecordFile(path, indexed)
        self.path: Path = self.records.path
        objects = all_objects(self.records)
        for fault in objects.faults[:1]:
            raise DataError(f'{self.where(fault.record)}: {fault.text()} ({len(objects.faults)} faults in the file)')
        self._values, self._sizes = objects.values, objects.sizes
        self._segmentations: Optional[Dict[int, List[str]]] = None
        self._bounds = np.searchsorted(objects.records, np.arange(len(self) + 1))
        self.names: ClassNames = names_beside(self.path)
        largest = int(objects.values[:, 0].max()) if len(objects.values) else 0
        self.classes = largest + 1 if self.names.names is None else len(self.names.names)
        self._check_classes(objects)

    def _check_classes(self, objects: Objects) -> None:
        unknown = np.flatnonzero(objects.values[:, 0] >= self.classes)
        for row in unknown[:1]:
            raise DataError(
                f'{self.where(objects.records[row])}: object {objects.numbers[row]}: {self.names.where} has no class '
                f'{objects.values[row, 0]:g}, but {self.classes} names ({len(unknown)} such objects)'
            )

    def __len__(self) -> int:
        return len(self.records)

    @property
    def offsets(self) -> np.ndarray:
        """The offset of each record in bytes: (records,) int64."""
        return self.records.offsets

    @property
    def counts(self) -> np.ndarray:
        """The number of boxes of each record: (records,) int64."""
        return np.diff(self._bounds)

    @property
    def objects(self) -> np.ndarray:
        """The objects of all records in their order: (objects, 8) float32, see :class:`.objects.Objects`."""
        return self._values

    def objects_of(self, number: int) -> np.ndarray:
        """The objects of a record: (n, 8) float32, see :class:`.objects.Objects`.

        Args:
            number: index of the record, from 0.
        """
        return self._values[self._bounds[number] : self._bounds[number + 1]]

    @property
    def difficult(self) -> int:
        """The number of boxes that are marked as difficult and are no crowds."""
        return int(((self._values[:, CROWD_COLUMN] == 0) & (self._values[:, DIFFICULT_COLUMN] == 1)).sum())

    @property
    def counted(self) -> int:
        """The number of boxes that are no crowds."""
        return int((self._values[:, CROWD_COLUMN] == 0).sum())

    def read_segmentations(self) -> int:
        """Read the segmentations beside the file, which :meth:`boxes_of` gives from then on.

        Returns:
            The number of objects with a segmentation, without crowds.

        Raises:
            DataError: the segmentations are damaged, or of other records.
        """
        if self._segmentations is None:
            self._segmentations = read_objects_of(self.records, self.counts.tolist(), self._sizes)
        crowds = self._values[:, CROWD_COLUMN] != 0
        return sum(
            bool(text) and not crowds[self._bounds[number] + row]
            for number, texts in self._segmentations.items()
            for row, text in enumerate(texts)
        )

    @property
    def segmentations(self) -> Mapping[int, Sequence[str]]:
        """Index of a record -> the segmentations of its objects; empty before :meth:`read_segmentations`."""
        return self._segmentations or {}

    def check_classes(self, classes: int) -> None:
        """Check that every box has a class of a network.

        Args:
            classes: number of classes.

        Raises:
            DataError: a class is too large; the message names the record and the object.
        """
        wrong = np.flatnonzero(self._values[:, 0] >= classes)
        for row in wrong[:1]:
            record = int(np.searchsorted(self._bounds, row, side='right')) - 1
            raise DataError(
                f'{self.where(record)}: object {row - self._bounds[record]} has class {self._values[row, 0]:g}, not a '
                f'class in 0..{classes - 1} ({len(wrong)} of {len(self._values)} objects): check --classes and the data'
            )

    def where(self, number: int) -> str:
        """The file, the record and its offset, for messages."""
        return f'{self.path}: record {number} at offset {self.records.offset(number)}'

    def boxes_of(self, number: int, size: Optional[Tuple[int, int]] = None) -> Boxes:
        """The boxes of a record in pixels of its picture.

        Args:
            number: index of the record, from 0.
            size: height and width of the picture as it is decoded; default :meth:`size_of`.

        Returns:
            The boxes; with their segmentations, if these were read.

        Raises:
            DataError: the header of the picture cannot be read.
        """
        height, width = self.size_of(number) if size is None else size
        boxes = to_boxes(self.objects_of(number), height, width)
        texts = self.segmentations.get(number)
        return boxes if texts is None else replace(boxes, segmentations=np.array([*texts, ''], object)[:-1])

    def size_of(self, number: int) -> Tuple[int, int]:
        """Height and width of the picture of a record in pixels, from the picture itself.

        Args:
            number: index of the record, from 0.

        Raises:
            DataError: the header of the picture cannot be read.
        """
        return record_size(self.records, number, self.where(number))

    def stated_size(self, number: int) -> Optional[Tuple[int, int]]:
        """Height and width as the label of a record states them; None where it does not.

        Args:
            number: index of the record, from 0.
        """
        width, height = self._sizes[number].tolist()
        return (int(height), int(width)) if 0 < width < MAX_SIDE and 0 < height < MAX_SIDE else None


def record_size(records: RecordFile, number: int, where: str) -> Tuple[int, int]:
    """Height and width of the picture of a record in pixels; of most, the beginning is read.

    Args:
        records: the record file.
        number: index of the record, from 0.
        where: names the record in the error message.

    Raises:
        DataError: the header of the picture cannot be read.
    """
    return size_in_begin(records.image_begin(number, BEGIN)) or image_size(records.image(number), where)


def all_objects(records: RecordFile) -> Objects:
    """Read the labels of all records, without their images.

    Args:
        records: the record file.

    Returns:
        The objects and the faults of all labels.
    """
    labels = [records.labels_of(number) for number in range(len(records))]
    return read_objects(np.concatenate(labels), records.label_counts.astype(np.int64))

"""An opened file of records with several labels: which classes are on each image, as a vector of zeros and ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.class_names import ClassNames, names_beside

from .detection import is_detection
from .recordio import RecordFile
from .segmentation import has_masks


class MultiLabelRecords:
    """A ``.rec`` file whose records have a label for each class, 1 where the class is on the image, else 0.

    A line of a list has them as columns, ``cbam data pack LIST --all-labels`` packs them, and MXNet's own readers of
    records read them with ``label_width`` classes. Opening the file reads and checks all labels, and no image.

    Args:
        path: the ``.rec`` file.
        indexed: whether to read the ``.idx`` file, see :class:`.recordio.RecordFile`.

    Attributes:
        path: path of the file.
        records: the record file.
        labels: (records, classes) float32, zeros and ones.
        classes: number of classes, that of the labels of each record.
        names: the names of the classes, from ``classes.txt`` beside the file.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged; records have different numbers of labels, or a label is neither 0 nor 1.
    """

    def __init__(self, path: PathLike, indexed: bool = True) -> None:
        self.records = RecordFile(path, indexed)
        self.path: Path = self.records.path
        for found, task in ((is_detection, 'detection'), (has_masks, 'segmentation')):
            if found(self.records):
                raise DataError(f'{self.path} has no classes of whole images: give --task {task}')
        counts = self.records.label_counts
        self.classes = int(counts[0])
        for number in np.flatnonzero(counts != self.classes)[:1]:
            raise DataError(
                f'{self.where(number)} has {counts[number]} labels, the first record {self.classes}: each has one for '
                'every class, 1 or 0'
            )
        self.labels = np.zeros((len(self), self.classes), np.float32)
        for number in range(len(self)):
            self.labels[number] = self.records.labels_of(number)
        self._check_values()
        self.names: ClassNames = names_beside(self.path)

    def __len__(self) -> int:
        return len(self.records)

    def _check_values(self) -> None:
        wrong = (self.labels != 0) & (self.labels != 1)
        for number in np.flatnonzero(wrong.any(axis=1))[:1]:
            column = int(np.flatnonzero(wrong[number])[0])
            raise DataError(
                f'{self.where(number)}: the label of class {column} is {self.labels[number, column]:g}, neither 1 nor '
                f'0 ({int(wrong.any(axis=1).sum())} of {len(self)} records): each record has a label for every class, '
                'not the numbers of its classes'
            )

    def check_classes(self, classes: int) -> None:
        """Check that there is a label for every output of a network.

        Args:
            classes: outputs of the network.

        Raises:
            DataError: there are more labels or fewer.
        """
        if classes != self.classes:
            raise DataError(
                f'{self.path} has labels of {self.classes} classes, not of {classes}: check --classes and '
                f'{self.names.where}'
            )

    def where(self, number: int) -> str:
        """The file, the record and its offset, for messages."""
        return f'{self.path}: record {number} at offset {self.records.offset(number)}'

"""An opened file of segmentation records: its pictures, and the mask of each."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.class_names import ClassNames, names_beside
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.records.segmentation import LABELS, mask_length

from .png import decode_mask
from .values import MOST_CLASSES, counts_of, largest_class

_HEIGHT, _WIDTH, _LARGEST = 3, 4, 5  # places among the labels


class MaskRecords:
    """A ``.rec`` file of segmentation records. Opening it reads and checks all labels, and no picture or mask.

    Args:
        path: the ``.rec`` file.
        indexed: whether to read the ``.idx`` file, see :class:`~gluon_cbam.data.records.recordio.RecordFile`.

    Attributes:
        path: path of the file.
        records: the record file, for :func:`gluon_cbam.data.records.images.decode_record`.
        names: the names of the classes, from ``classes.txt`` beside the file.
        classes: number of classes: of the names; without them, the largest class of a pixel and one.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged; or a record has no mask, or a class that ``classes.txt`` does not name.
    """

    def __init__(self, path: PathLike, indexed: bool = True) -> None:
        self.records = RecordFile(path, indexed)
        self.path: Path = self.records.path
        self._labels = np.zeros((len(self.records), LABELS), np.float32)
        for number in range(len(self.records)):
            labels = self.records.labels_of(number)
            if not mask_length(labels):
                raise DataError(f'{self.where(number)} has no mask: pack pictures with cbam data pack --masks')
            self._labels[number] = labels
        self.names: ClassNames = names_beside(self.path)
        largest = int(self._labels[:, _LARGEST].max())
        self.classes = max(largest, 0) + 1 if self.names.names is None else len(self.names.names)
        self.check_classes(self.classes)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labels(self) -> np.ndarray:
        """All labels: (records, 6) float32, see :mod:`gluon_cbam.data.records.segmentation`."""
        return self._labels

    @property
    def counted(self) -> int:
        """The number of records with a pixel that is not ignored."""
        return int((self._labels[:, _LARGEST] >= 0).sum())

    def check_classes(self, classes: int) -> None:
        """Check that every pixel has a class of a network, or is ignored.

        Args:
            classes: number of classes.

        Raises:
            DataError: a class is too large; the message names the record.
        """
        if classes > MOST_CLASSES:
            raise DataError(f'{self.path}: masks have at most {MOST_CLASSES} classes, got {classes}')
        wrong = np.flatnonzero(self._labels[:, _LARGEST] >= classes)
        for number in wrong[:1]:
            raise DataError(
                f'{self.where(number)}: its mask has class {self._labels[number, _LARGEST]:g}, not a class in '
                f'0..{classes - 1} ({len(wrong)} of {len(self)} records): check --classes and {self.names.where}'
            )

    def where(self, number: int) -> str:
        """The file, the record and its offset, for messages."""
        return f'{self.path}: record {number} at offset {self.records.offset(number)}'

    def size_of(self, number: int) -> Tuple[int, int]:
        """Height and width of the picture of a record in pixels, as its label states them."""
        height, width = self._labels[number, _HEIGHT : _WIDTH + 1].tolist()
        return int(height), int(width)

    def mask_of(self, number: int, size: Tuple[int, int]) -> np.ndarray:
        """Read the mask of a record.

        Args:
            number: index of the record, from 0.
            size: height and width of the picture as it is decoded.

        Returns:
            (H, W) uint8.

        Raises:
            DataError: it is damaged, or does not fit the picture or the label.
        """
        mask = decode_mask(self.records.mask(number), f'{self.where(number)}: its mask')
        if mask.shape != tuple(size):
            raise DataError(
                f'{self.where(number)}: its mask has {mask.shape[1]} x {mask.shape[0]} pixels, its picture {size[1]} x '
                f'{size[0]}: pack it again'
            )
        largest, stated = largest_class(counts_of(mask)), int(self._labels[number, _LARGEST])
        if largest != stated:
            raise DataError(
                f'{self.where(number)}: the largest class of its mask is {largest}, its label states {stated}: pack it '
                'again'
            )
        return mask

    def load(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """Decode a record.

        Args:
            number: index of the record, from 0.

        Returns:
            The picture, (H, W, 3) uint8 RGB, and its mask, (H, W) uint8.

        Raises:
            DataError: one of them is damaged, or they do not fit.
        """
        pixels = decode_record(self.records, number)
        return pixels, self.mask_of(number, (pixels.shape[0], pixels.shape[1]))

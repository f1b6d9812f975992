"""What a detector found in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections of one image, in any order; none are legal.

    Attributes:
        classes: (m,) int64, indices of classes from 0.
        scores: (m,) float64, finite; a higher score is a surer detection.
        corners: (m, 4) float64: xmin, ymin, xmax, ymax in pixels of the original image, 0-based and continuous, with
            xmax and ymax exclusive, as in :class:`gluon_cbam.data.boxes.table.Boxes`.
        segmentations: (m,) of texts, the mask of each, see :func:`gluon_cbam.data.boxes.segmentations.normalized`; None
            for boxes alone.
    """

    classes: np.ndarray
    scores: np.ndarray
    corners: np.ndarray
    segmentations: Optional[np.ndarray] = None

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, classes: Any, scores: Any, corners: Any, segmentations: Optional[Sequence[str]] = None) -> Detections:
        """Detections from lists or arrays of any numeric type.

        Args:
            classes: (m,) indices of classes.
            scores: (m,) scores.
            corners: (m, 4) xmin, ymin, xmax, ymax.
            segmentations: (m,) texts of masks; default none.

        Raises:
            DataError: the lengths differ, a value is not finite, a class is negative or no whole number, or a box is
                reversed; the message has the number of the detection, from 0.
        """
        numbers, surety, boxes = (np.asarray(values, np.float64) for values in (classes, scores, corners))
        boxes = boxes.reshape(-1, 4)
        if not numbers.shape == surety.shape == (len(boxes),):
            raise DataError(f'{numbers.shape} classes, {surety.shape} scores and {len(boxes)} boxes do not fit')
        _refuse(~(np.isfinite(surety) & np.isfinite(boxes).all(axis=1)), 'has a number that is not finite')
        index = np.isfinite(numbers) & (numbers >= 0) & (np.floor(numbers) == numbers)
        _refuse(~index, 'has a class that is no index')
        _refuse(np.any(boxes[:, 2:] < boxes[:, :2], axis=1), 'has a reversed box')
        texts = None if segmentations is None else np.array([*segmentations, ''], object)[:-1]
        if texts is not None and len(texts) != len(boxes):
            raise DataError(f'{len(texts)} masks and {len(boxes)} boxes do not fit')
        return cls(numbers.astype(np.int64), surety, boxes, texts)

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls.of([], [], [])

    def chosen(self, rows: np.ndarray) -> Detections:
        """Some of the detections.

        Args:
            rows: a mask (m,) bool, or indices in the wanted order.
        """
        texts = None if self.segmentations is None else self.segmentations[rows]
        return Detections(self.classes[rows], self.scores[rows], self.corners[rows], texts)


def _refuse(bad: np.ndarray, what: str) -> None:
    if bad.any():
        raise DataError(f'detection {int(np.flatnonzero(bad)[0])} {what}')

"""The truth and the detections of all images as columns, since everything is counted without a loop over boxes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple, TypeVar

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.detection.detections import Detections

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes

Rows = TypeVar('Rows', bound='Columns')


@dataclass(frozen=True, eq=False)
class Columns:
    """Boxes of many images, a row each.

    Attributes:
        images: (n,) int64, the number of the image, ascending where :func:`columns_of` made them.
        classes: (n,) int64, indices of classes.
        corners: (n, 4) float64: xmin, ymin, xmax, ymax in pixels.
    """

    images: np.ndarray
    classes: np.ndarray
    corners: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self: Rows, rows: np.ndarray) -> Rows:
        """Some of the rows.

        Args:
            rows: a mask (n,) bool, or indices in the wanted order.
        """
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Truths(Columns):
    """The true boxes of many images.

    Attributes:
        areas: (n,) float64, the area of the object in square pixels, by which COCO sorts objects by size.
        difficult: (n,) bool, Pascal VOC's flag.
        crowd: (n,) bool, COCO's flag.
    """

    areas: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True, eq=False)
class Found(Columns):
    """The detections of many images.

    Attributes:
        scores: (n,) float64.
    """

    scores: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """(n,) float64, the areas of the boxes in square pixels."""
        return (self.corners[:, 2] - self.corners[:, 0]) * (self.corners[:, 3] - self.corners[:, 1])

    def by_score(self) -> Found:
        """The same detections from the highest score to the lowest; equal scores keep their order."""
        return self.chosen(np.argsort(-self.scores, kind='stable'))


def columns_of(truths: Sequence[Boxes], detections: Sequence[Detections], classes: int) -> Tuple[Truths, Found]:
    """The truth and the detections of images as columns.

    Args:
        truths: the true boxes of each image.
        detections: the detections of each image, in the same order of images.
        classes: number of classes.

    Returns:
        Both, in the order of the images and, within an image, in the order that was given.

    Raises:
        DataError: the numbers of images differ, a number is not finite, a box is reversed, or a class does not exist;
            the message names the image by its number, from 0.
    """
    if len(truths) != len(detections):
        raise DataError(f'{len(truths)} images with a truth, and {len(detections)} with detections, do not fit')
    boxes = Truths(*_joined(truths, ('classes', 'corners', 'areas', 'difficult', 'crowd')))
    found = Found(*_joined(detections, ('classes', 'corners', 'scores')))
    _check(boxes, 'true box', np.isfinite(boxes.areas), classes)
    _check(found, 'detection', np.isfinite(found.scores), classes)
    return boxes, found


_WIDTHS = {'corners': (0, 4)}
_TYPES = {'classes': np.int64, 'difficult': bool, 'crowd': bool}


def _joined(entries: Sequence[Any], names: Sequence[str]) -> List[np.ndarray]:
    """The number of the image of each box, and columns of the boxes of all images."""
    columns = [np.repeat(np.arange(len(entries)), [len(entry) for entry in entries])]
    for name in names:
        parts = [getattr(entry, name) for entry in entries] or [np.zeros(_WIDTHS.get(name, 0))]
        columns.append(np.concatenate(parts).astype(_TYPES.get(name, np.float64), copy=False))
    return columns


def _check(boxes: Columns, what: str, finite: np.ndarray, classes: int) -> None:
    corners = boxes.corners
    problems = (
        (~(finite & np.isfinite(corners).all(axis=1)), 'has a number that is not finite'),
        (np.any(corners[:, 2:] < corners[:, :2], axis=1), 'is reversed'),
        ((boxes.classes < 0) | (boxes.classes >= classes), f'has a class outside 0 to {classes - 1}'),
    )
    for bad, problem in problems:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            number = int((boxes.images[:row] == boxes.images[row]).sum())
            raise DataError(f'{what} {number} of image {int(boxes.images[row])} {problem}')

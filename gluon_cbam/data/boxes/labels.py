"""The label of a detection record: encoding and decoding the boxes of one picture.

We write ``[4, 8, width, height]`` and, for each object, ``class, xmin / width, ymin / height, xmax / width, ymax /
height, difficult, crowd, area``. A picture without objects has one row of -1, since MXNet's readers want a row; a label
without any row is read as well. float32 keeps a corner to 1e-3 pixels up to a side of 16384 pixels.
"""

from __future__ import annotations

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.records.format import MAX_LABELS

from .objects import CROWD_COLUMN, DIFFICULT_COLUMN, NO_OBJECT, VALUES, read_objects
from .table import Boxes

_HEAD = 4
MAX_OBJECTS = (MAX_LABELS - _HEAD) // VALUES
"""The most objects that a record can hold."""
_DECIMALS = 3  # of corners in pixels; what float32 leaves of them


def encode(boxes: Boxes, height: int, width: int) -> np.ndarray:
    """Encode the boxes of a picture as the label of its record.

    Args:
        boxes: the boxes; they are not checked.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        (m,) float32.

    Raises:
        DataError: there are more than :data:`MAX_OBJECTS`.
    """
    if len(boxes) > MAX_OBJECTS:
        raise DataError(f'{len(boxes)} objects are more than the {MAX_OBJECTS} that a record can hold')
    rows = np.full((max(1, len(boxes)), VALUES), NO_OBJECT)
    if len(boxes):
        rows[:, 0], rows[:, 1:5] = boxes.classes, boxes.corners / [width, height, width, height]
        rows[:, 5], rows[:, 6], rows[:, 7] = boxes.difficult, boxes.crowd, boxes.areas
    return np.concatenate([[_HEAD, VALUES, width, height], rows.ravel()]).astype(np.float32)


def decode(label: np.ndarray, height: int, width: int, where: str) -> Boxes:
    """Decode the label of a detection record.

    Args:
        label: (m,) float32, all labels of the record.
        height: height of the picture as it is decoded, in pixels.
        width: width of the picture in pixels.
        where: names the record in error messages.

    Returns:
        The boxes; none for a label without rows, and for rows of -1.

    Raises:
        DataError: the label is not ``[A, B, ...]`` with objects of B numbers; or an object has a number that is not
            finite, a class that is no whole number from 0, corners that enclose nothing, or no flags after the corners.
            The message names the record and the object.
    """
    values = np.asarray(label, np.float32).ravel()
    objects = read_objects(values, np.array([len(values)]))
    if objects.faults:
        raise DataError(f'{where}: {objects.faults[0].text()}')
    return to_boxes(objects.values, height, width)


def to_boxes(values: np.ndarray, height: int, width: int) -> Boxes:
    """The boxes in pixels of the objects of a picture.

    Args:
        values: (n, 8) float32, see :class:`.objects.Objects`; without faults.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        The boxes.
    """
    corners = to_corners(values, height, width)
    areas = values[:, 7].astype(np.float64)
    unknown = np.isnan(areas)
    if unknown.any():
        lengths = corners[:, 2:] - corners[:, :2]
        np.multiply(lengths[:, 0], lengths[:, 1], out=areas, where=unknown)
    difficult, crowd = values[:, DIFFICULT_COLUMN] != 0, values[:, CROWD_COLUMN] != 0
    return Boxes(corners, values[:, 0].astype(np.int64), difficult, crowd, areas)


def to_corners(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """The corners in pixels of the objects of a picture.

    They are rounded to 0.001 pixel, so that pixels and hundredths come back exactly.

    Args:
        values: (n, 8) float32, see :class:`.objects.Objects`; without faults.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        (n, 4) float64: xmin, ymin, xmax, ymax.
    """
    exact = values[:, 1:5] * np.array([width, height, width, height], np.float64)
    corners = exact.round(_DECIMALS) + 0.0  # no -0
    tiny = corners[:, 2:] <= corners[:, :2]
    if tiny.any():
        rows = tiny.any(axis=1)
        corners[rows] = exact[rows]
    return corners


def list_line(key: int, label: np.ndarray, name: str) -> str:
    """The line of a picture in a list of im2rec.

    Args:
        key: its index.
        label: (m,) float32, see :func:`encode`.
        name: its path.

    Raises:
        DataError: the name has a tab or a line break, which no line can hold.
    """
    if any(letter in name for letter in '\t\n\r'):
        raise DataError(f"'{printable(name)}' cannot be in a list, as it has a tab or a line break: rename it")
    values = ''.join(f'{value:.9g}\t' for value in label.tolist())
    return f'{key}\t{values}{name}\n'

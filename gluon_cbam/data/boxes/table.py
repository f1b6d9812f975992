"""The boxes of a picture, and a table of pictures with boxes: what every format of annotations is read into.

Corners are in pixels of the picture as it is decoded, from 0, continuous: a box covers the area from ``xmin`` to
``xmax`` and from ``ymin`` to ``ymax``, so that its width is ``xmax - xmin`` and a box of the whole picture is
``0, 0, width, height``. Pascal VOC's corners count pixels from 1 and include the last one: ``xmin - 1, ymin - 1, xmax,
ymax``. COCO's ``[x, y, width, height]`` becomes ``x, y, x + width, y + height``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.data.sources.file_paths import FilePath


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one picture. No boxes are legal everywhere.

    Attributes:
        corners: (n, 4) float64, ``xmin, ymin, xmax, ymax`` in pixels, see the module.
        classes: (n,) int64, class of each box, from 0.
        difficult: (n,) bool, Pascal VOC's flag: neither a miss nor a false positive counts.
        crowd: (n,) bool, COCO's ``iscrowd``: a region of many objects.
        areas: (n,) float64, COCO's area of the mask in square pixels; the area of the box where a format has none.
        segmentations: (n,) of texts, see :func:`.segmentations.normalized`, empty for an object without; None where no
            object has one.
    """

    corners: np.ndarray
    classes: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray
    segmentations: Optional[np.ndarray] = None

    @classmethod
    def of(
        cls,
        corners: Any,
        classes: Any,
        difficult: Optional[Any] = None,
        crowd: Optional[Any] = None,
        areas: Optional[Any] = None,
    ) -> Boxes:
        """Make boxes of anything that NumPy takes for arrays.

        Args:
            corners: (n, 4), ``xmin, ymin, xmax, ymax`` in pixels; an empty list for none.
            classes: (n,), class of each box.
            difficult: (n,); default none is.
            crowd: (n,); default none is.
            areas: (n,) in square pixels; default the areas of the boxes.

        Returns:
            The boxes, in arrays of the types of this class.

        Raises:
            ValueError: the arrays are of different lengths.
        """
        points = np.asarray(corners, np.float64).reshape(-1, 4)
        count = len(points)
        columns = (
            np.asarray(classes, np.int64),
            np.zeros(count, bool) if difficult is None else np.asarray(difficult, bool),
            np.zeros(count, bool) if crowd is None else np.asarray(crowd, bool),
            box_areas(points) if areas is None else np.asarray(areas, np.float64),
        )
        lengths = [column.shape for column in columns]
        if any(shape != (count,) for shape in lengths):
            raise ValueError(f'{count} boxes with classes, flags and areas of shapes {lengths}')
        return cls(points, *columns)

    @classmethod
    def empty(cls) -> Boxes:
        """No boxes."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.corners)

    def chosen(self, which: Union[np.ndarray, slice]) -> Boxes:
        """Some of the boxes.

        Args:
            which: (n,) bool, the indices of boxes in their new order, or a slice.
        """
        columns = (getattr(self, field.name) for field in fields(self))
        return Boxes(*(None if column is None else column[which] for column in columns))  # type: ignore[arg-type]

    @property
    def segmented(self) -> int:
        """How many of the boxes have a segmentation."""
        return 0 if self.segmentations is None else int((self.segmentations != '').sum())


def box_areas(corners: np.ndarray) -> np.ndarray:
    """The areas of boxes in square pixels: (n,) float64.

    Args:
        corners: (n, 4), ``xmin, ymin, xmax, ymax``.
    """
    with np.errstate(invalid='ignore', over='ignore'):  # boxes that are not finite are found by checks
        return (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])


@dataclass(frozen=True, eq=False)
class ImageBoxes:
    """A picture and its boxes.

    Attributes:
        name: path of the picture relative to the root of the table, with ``/`` between folders.
        height: height in pixels.
        width: width in pixels.
        boxes: the boxes.
        id: COCO's id of the picture; None where a format has none.
    """

    name: str
    height: int
    width: int
    boxes: Boxes
    id: Optional[int] = None


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Pictures with boxes.

    Attributes:
        classes: names of the classes, in the order of the class indices.
        images: the pictures. A sequence, not necessarily a list: large tables make their entries on demand.
        root: the folder that the names of the pictures are relative to.
    """

    classes: Tuple[str, ...]
    images: Sequence[ImageBoxes]
    root: FilePath

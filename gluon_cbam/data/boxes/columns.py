"""The pictures of a large table of boxes, in columns: a million boxes take a few arrays and no objects of Python."""

from __future__ import annotations

from array import array
from typing import List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from .table import Boxes, ImageBoxes, box_areas


class BoxColumns(Sequence[ImageBoxes]):
    """Pictures with boxes; an :class:`~.table.ImageBoxes` is made when it is asked for.

    Args:
        names: path of each picture.
        sizes: (pictures, 2) int64, height and width of each.
        boxes: the boxes of all pictures, in the order of the pictures.
        bounds: (pictures + 1,) int64, where the boxes of each picture begin and end.
        numbers: (n,) int64, the number of each box in its file of annotations, for messages.
        ids: (pictures,) int64, id of each picture; default none.
    """

    def __init__(
        self,
        names: Sequence[str],
        sizes: np.ndarray,
        boxes: Boxes,
        bounds: np.ndarray,
        numbers: np.ndarray,
        ids: Optional[np.ndarray] = None,
    ) -> None:
        self.names, self.sizes, self.boxes, self.bounds, self.numbers, self.ids = (
            names, sizes, boxes, bounds, numbers, ids,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> ImageBoxes: ...

    @overload
    def __getitem__(self, index: slice) -> List[ImageBoxes]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[ImageBoxes, List[ImageBoxes]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        number = index % len(self)
        height, width = self.sizes[number].tolist()
        boxes = self.boxes.chosen(slice(*self.bounds[number : number + 2].tolist()))
        return ImageBoxes(self.names[number], height, width, boxes, None if self.ids is None else int(self.ids[number]))

    @property
    def counts(self) -> np.ndarray:
        """The number of boxes of each picture: (pictures,) int64."""
        return np.diff(self.bounds)

    @property
    def owners(self) -> np.ndarray:
        """The index of the picture of each box: (n,) int64."""
        return np.repeat(np.arange(len(self)), self.counts)

    def numbered(self) -> BoxColumns:
        """The same pictures with their ids; with the numbers from 1 where they have none, or not one each."""
        own = self.ids is not None and len(np.unique(self.ids)) == len(self)
        ids = self.ids if own else np.arange(1, len(self) + 1)
        return BoxColumns(self.names, self.sizes, self.boxes, self.bounds, self.numbers, ids)

    def chosen(self, pictures: np.ndarray) -> BoxColumns:
        """Some of the pictures.

        Args:
            pictures: (m,) int64, their indices in the new order.
        """
        counts = self.counts[pictures]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(bounds[-1]) + np.repeat(self.bounds[:-1][pictures] - bounds[:-1], counts)
        return BoxColumns(
            [self.names[number] for number in pictures.tolist()], self.sizes[pictures], self.boxes.chosen(places),
            bounds, self.numbers[places], None if self.ids is None else self.ids[pictures],
        )  # fmt: skip

    def with_boxes(self, which: np.ndarray) -> BoxColumns:
        """The same pictures with some of the boxes.

        Args:
            which: (n,) bool.
        """
        bounds = np.concatenate([[0], np.cumsum(which)])[self.bounds]
        return BoxColumns(self.names, self.sizes, self.boxes.chosen(which), bounds, self.numbers[which], self.ids)


class BoxRows:
    """Collects pictures and their boxes, in any order, in little memory."""

    def __init__(self) -> None:
        self.names: List[str] = []
        self._sizes, self._ids = array('q'), array('q')
        self._owners, self._numbers, self._classes = array('q'), array('q'), array('q')
        self._corners, self._areas = array('d'), array('d')
        self._difficult, self._crowd = bytearray(), bytearray()
        self._segmentations: List[str] = []

    def __len__(self) -> int:
        return len(self.names)

    def image(self, name: str, height: int, width: int, number: Optional[int] = None) -> int:
        """Add a picture.

        Args:
            name: its path.
            height: height in pixels.
            width: width in pixels.
            number: its id; all pictures have one, or none.

        Returns:
            The index of the picture.
        """
        self.names.append(name)
        self._sizes.extend((height, width))
        if number is not None:
            self._ids.append(number)
        return len(self.names) - 1

    def box(
        self,
        owner: int,
        corners: Tuple[float, float, float, float],
        label: int,
        number: int,
        difficult: bool = False,
        crowd: bool = False,
        area: float = float('nan'),
        segmentation: str = '',
    ) -> None:
        """Add a box.

        Args:
            owner: index of its picture.
            corners: ``xmin, ymin, xmax, ymax`` in pixels.
            label: its class.
            number: its number in the file of annotations.
            difficult: the flag of Pascal VOC.
            crowd: the flag of COCO.
            area: in square pixels; default nan, the area of the box.
            segmentation: see :func:`.segmentations.normalized`; default none.
        """
        self._owners.append(owner)
        self._corners.extend(corners)
        self._classes.append(label)
        self._numbers.append(number)
        self._difficult.append(difficult)
        self._crowd.append(crowd)
        self._areas.append(area)
        self._segmentations.append(segmentation)

    def columns(self) -> BoxColumns:
        """The pictures in the order in which they were added, with their boxes. Nothing can be added any more."""
        owners = np.frombuffer(self._owners, np.int64) if self._owners else np.empty(0, np.int64)
        order = np.argsort(owners, kind='stable')
        corners = np.array(self._corners, np.float64).reshape(-1, 4)[order]
        areas = np.array(self._areas, np.float64)[order]
        boxes = Boxes(
            corners,
            np.array(self._classes, np.int64)[order],
            np.frombuffer(bytes(self._difficult), bool)[order],
            np.frombuffer(bytes(self._crowd), bool)[order],
            np.where(np.isnan(areas), box_areas(corners), areas),
            np.array([*self._segmentations, ''], object)[:-1][order] if any(self._segmentations) else None,
        )
        bounds = np.searchsorted(owners[order], np.arange(len(self.names) + 1))
        sizes = np.array(self._sizes, np.int64).reshape(-1, 2)
        ids = np.array(self._ids, np.int64) if len(self._ids) else None
        return BoxColumns(self.names, sizes, boxes, bounds, np.array(self._numbers, np.int64)[order], ids)

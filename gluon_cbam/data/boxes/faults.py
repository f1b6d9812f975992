"""What can be wrong with boxes: the kinds of faults, those that were found, and those of the geometry of a table."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple
from typing import Counter as CounterType

import numpy as np

from .columns import BoxColumns
from .segmentations import mask_counts, mask_size, polygon_bounds

KEPT = 5
"""The faults of a kind that are named."""
_BORDER = 0.01  # pixels that a box may reach over the border without a warning
_SHORT = 80  # characters of a mask of few run lengths, which may be empty
_LARGEST = float(np.finfo(np.float32).max)  # number that a record holds
THIN = 1e-3
"""A box whose width or height is smaller, in pixels, is empty: no record keeps it."""


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        wrong: whether the box or picture cannot be used; else a warning.
        text: what it is called after a number.
    """

    wrong: bool
    text: str


KINDS: Dict[str, Kind] = {
    'missing': Kind(True, 'pictures or annotations missing'),
    'picture': Kind(True, 'pictures that cannot be read'),
    'size': Kind(True, 'pictures of another size than the annotations say'),
    'unreadable': Kind(True, 'annotations that are no box'),
    'class': Kind(True, 'boxes of unknown classes'),
    'not_finite': Kind(True, 'boxes that are not finite, or too large for a record'),
    'reversed': Kind(True, 'boxes with exchanged corners'),
    'empty': Kind(True, 'empty boxes'),
    'outside': Kind(True, 'boxes outside their picture'),
    'area': Kind(True, 'areas that are negative or not finite'),
    'mask': Kind(True, 'segmentations that are damaged, or of another size than their picture'),
    'mask_outside': Kind(True, 'segmentations with a polygon outside their picture'),
    'mask_apart': Kind(True, 'segmentations whose polygons do not meet their box'),
    'border': Kind(False, 'boxes over the border of their picture'),
    'mask_border': Kind(False, 'segmentations with a polygon over the border of their picture'),
    'tiny': Kind(False, 'boxes with a side below a pixel, as of corners in shares of 1'),
    'mask_empty': Kind(False, 'segmentations without a pixel'),
    'stated': Kind(False, 'pictures of another size than their label states'),
    'id': Kind(False, 'annotations with the id of another one, which pycocotools takes for one'),
    'repeated': Kind(False, 'boxes that repeat another one'),
}
"""Every kind, in the order of reports."""


class Fault(NamedTuple):
    """A fault.

    Attributes:
        where: file and number of the annotation, or the picture.
        reason: what is wrong.
    """

    where: str
    reason: str


class Faults:
    """The faults of some annotations: how many of each kind, and the first of each.

    Args:
        kinds: the kinds, in the order of reports; default those of boxes.
    """

    def __init__(self, kinds: Mapping[str, Kind] = KINDS) -> None:
        self.kinds = kinds
        self.counts: CounterType[str] = Counter()
        self._first: Dict[str, List[Fault]] = {}

    def add(self, kind: str, where: str, reason: str) -> None:
        """Count a fault, and keep it if it is one of the first of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT:
            self._first.setdefault(kind, []).append(Fault(where, reason))

    def more(self, kind: str, count: int) -> None:
        """Count faults that are not named."""
        if count:
            self.counts[kind] += count

    def update(self, other: Faults) -> None:
        """Add the faults of another one."""
        for kind, faults in other._first.items():
            self._first[kind] = [*self._first.get(kind, []), *faults][:KEPT]
        self.counts.update(other.counts)

    def items(self) -> Iterator[Tuple[str, int, List[Fault]]]:
        """(kind, number, first ones) of each kind that occurs, in the order of :attr:`kinds`."""
        for kind in self.kinds:
            if self.counts[kind]:
                yield kind, self.counts[kind], self._first[kind]

    @property
    def wrong(self) -> int:
        """The number of faults that are no warnings."""
        return sum(count for kind, count in self.counts.items() if self.kinds[kind].wrong)

    def as_dict(self) -> Dict[str, Any]:
        """The faults for JSON: kind -> ``wrong``, ``count`` and ``first``."""
        return {
            kind: {'wrong': self.kinds[kind].wrong, 'count': count, 'first': [each._asdict() for each in first]}
            for kind, count, first in self.items()
        }


def wrong_boxes(columns: BoxColumns, classes: int) -> Dict[str, np.ndarray]:
    """Find the boxes with faults, by their kind.

    Args:
        columns: the boxes. Corners of pictures whose size is not known, of height 0, are not compared with it.
        classes: number of classes.

    Returns:
        Kind -> (n,) bool. A box has one kind that is wrong at most.
    """
    corners, polygons = columns.boxes.corners, _Polygons.of(columns)
    sizes = columns.sizes[columns.owners][:, ::-1].astype(np.float64)  # width, height
    sizes[(sizes <= 0).any(axis=1)] = np.inf
    with np.errstate(invalid='ignore'):
        sides = corners[:, 2:] - corners[:, :2]
        found = {
            'class': (columns.boxes.classes < 0) | (columns.boxes.classes >= classes),
            'not_finite': ~(np.abs(corners) <= _LARGEST).all(axis=1),
            'reversed': (sides <= -THIN).any(axis=1),
            'empty': (sides < THIN).any(axis=1),
            'area': ~((columns.boxes.areas >= 0) & (columns.boxes.areas <= _LARGEST)),
            'mask': _masks_of_other_sizes(columns),
            'outside': _outside(corners, sizes),
            'mask_outside': polygons.any_box(_outside(polygons.bounds, sizes[polygons.boxes])),
            'mask_apart': polygons.apart(corners),
        }
        border = {
            'border': _over_border(corners, sizes),
            'tiny': (sides < 1).any(axis=1),
            'mask_border': polygons.any_box(_over_border(polygons.bounds, sizes[polygons.boxes])),
        }
    bad = np.zeros(len(corners), bool)
    only = {}
    for kind, boxes in found.items():
        only[kind] = boxes & ~bad
        bad |= boxes
    warnings = {**border, 'mask_empty': _empty_masks(columns), 'repeated': _repeated(columns)}
    return {**only, **{kind: boxes & ~bad for kind, boxes in warnings.items()}}


def _outside(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.logical_or((corners[:, :2] >= sizes).any(axis=1), (corners[:, 2:] <= 0).any(axis=1))


def _over_border(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.logical_or((corners[:, :2] < -_BORDER).any(axis=1), (corners[:, 2:] > sizes + _BORDER).any(axis=1))


class _Polygons(NamedTuple):
    """The polygons of some boxes.

    Attributes:
        bounds: (m, 4) float64, ``xmin, ymin, xmax, ymax`` of each polygon.
        boxes: (m,) int64, index of the box of each.
        total: number of boxes.
    """

    bounds: np.ndarray
    boxes: np.ndarray
    total: int

    @classmethod
    def of(cls, columns: BoxColumns) -> _Polygons:
        texts = columns.boxes.segmentations
        bounds: List[Tuple[float, float, float, float]] = []
        boxes: List[int] = []
        for box, text in enumerate(() if texts is None else texts):
            found = polygon_bounds(text) if text.startswith('[') else []
            bounds += found
            boxes += [box] * len(found)
        return cls(np.array(bounds, np.float64).reshape(-1, 4), np.array(boxes, np.int64), len(columns.boxes))

    def any_box(self, which: np.ndarray) -> np.ndarray:
        """The boxes that have one of some polygons: (total,) bool."""
        found = np.zeros(self.total, bool)
        found[self.boxes[which]] = True
        return found

    def apart(self, corners: np.ndarray) -> np.ndarray:
        """The boxes that none of their polygons meets: (total,) bool."""
        own = corners[self.boxes]
        apart = (self.bounds[:, :2] > own[:, 2:]).any(axis=1) | (self.bounds[:, 2:] < own[:, :2]).any(axis=1)
        return self.any_box(apart) & ~self.any_box(~apart)


def _masks_of_other_sizes(columns: BoxColumns) -> np.ndarray:
    """Whether each box has a mask that states another size than its picture has: (n,) bool."""
    found, texts = np.zeros(len(columns.boxes), bool), columns.boxes.segmentations
    if texts is not None:
        owners = columns.owners
        for box in np.flatnonzero([text.startswith('{') for text in texts]).tolist():
            size = tuple(columns.sizes[owners[box]].tolist())
            found[box] = size > (0, 0) and mask_size(texts[box]) != size
    return found


def _empty_masks(columns: BoxColumns) -> np.ndarray:
    """Whether each box has a mask that is background alone: (n,) bool."""
    found, texts = np.zeros(len(columns.boxes), bool), columns.boxes.segmentations
    if texts is not None:
        for box in np.flatnonzero([text.startswith('{') and len(text) <= _SHORT for text in texts]).tolist():
            found[box] = not mask_counts(texts[box])[1][1::2].any()
    return found


def _repeated(columns: BoxColumns) -> np.ndarray:
    """Whether each box has the picture, class and corners of an earlier one: (n,) bool."""
    keys = np.column_stack([columns.owners, columns.boxes.classes, columns.boxes.corners])
    order = np.lexsort(keys.T[::-1])
    equal = np.zeros(len(keys), bool)
    equal[order[1:]] = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    return equal

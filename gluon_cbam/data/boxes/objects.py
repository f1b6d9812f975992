"""The objects in the labels of many detection records at once, and every fault of them.

A label (im2rec ``--pack-label``, ``mxnet/image/detection.py``) is ``[A, B, extra..., object...]``: A numbers come
before the objects, and each object is B numbers: ``class, xmin, ymin, xmax, ymax, extra...``, corners divided by the
width and the height of the picture. By custom the first extra ones are the width and the height of the picture, and
those of an object begin with VOC's ``difficult``; :mod:`gluon_cbam.data.boxes.labels` writes ``crowd`` and the area
after it.
"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional

import numpy as np

from gluon_cbam.data.records.labels import are_classes

HEAD, OBJECT = 2, 5
"""The fewest numbers before the objects, and of an object."""
VALUES = 8
"""The numbers of an object that are understood: class, four corners, difficult, crowd, area."""
DIFFICULT_COLUMN, CROWD_COLUMN = 5, 6
"""The columns of the flags in these numbers."""
_DEFAULTS = (0.0, 0.0, float('nan'))  # of the numbers after the corners, where an object has fewer or more than VALUES
NO_OBJECT = -1.0
"""Every number of the row that stands for a picture without objects, and of padding."""


class LabelFault(NamedTuple):
    """A fault of a label.

    Attributes:
        record: index of the label.
        number: index of the object in its label; None for a fault of the whole label.
        reason: the fault, for messages.
    """

    record: int
    number: Optional[int]
    reason: str

    def text(self) -> str:
        """The object and the reason."""
        return self.reason if self.number is None else f'object {self.number}: {self.reason}'


class Objects(NamedTuple):
    """The objects of many labels, in their order; rows that stand for no object are left out.

    Attributes:
        records: (n,) int64, index of the label of each object.
        numbers: (n,) int64, index of each object in its label.
        values: (n, 8) float32: class, ``xmin, ymin, xmax, ymax`` as shares of the width and the height, difficult,
            crowd, and the area in square pixels, nan where the label has none.
        sizes: (labels, 2) float32, width and height of each picture as its label states them; nan where it does not.
        faults: what is wrong, in the order of the labels.
    """

    records: np.ndarray
    numbers: np.ndarray
    values: np.ndarray
    sizes: np.ndarray
    faults: List[LabelFault]

    def without_faults(self) -> Objects:
        """The objects that have no fault; those of a label with a fault of the whole are none."""
        wrong = {(fault.record, fault.number) for fault in self.faults}
        keep = np.array([pair not in wrong for pair in zip(self.records.tolist(), self.numbers.tolist())], bool)
        return self._replace(
            records=self.records[keep], numbers=self.numbers[keep], values=self.values[keep], faults=[]
        )  # fmt: skip


def read_objects(labels: np.ndarray, counts: np.ndarray) -> Objects:
    """Read the objects of many labels.

    Args:
        labels: (sum of counts,) float32, the labels one after another.
        counts: (labels,) number of values of each label.

    Returns:
        The objects of the labels that can be divided into objects, faulty ones too, and the faults.
    """
    starts = np.cumsum(counts, dtype=np.int64) - counts
    whole, before, width = _divided(labels, starts, counts)
    rows = np.where(whole, (counts - before) // width, 0)
    records = np.repeat(np.arange(len(counts)), rows)
    numbers = np.arange(len(records)) - np.repeat(np.cumsum(rows) - rows, rows)
    begins = (starts + before)[records] + numbers * width[records]
    values = _values(labels, begins, width[records])
    objects = (values[:, :OBJECT] != NO_OBJECT).any(axis=1)
    records, numbers, values = records[objects], numbers[objects], values[objects]
    faults = [LabelFault(int(at), None, _shape_fault(labels, starts[at], counts[at])) for at in np.flatnonzero(~whole)]
    faults += [LabelFault(int(records[row]), int(numbers[row]), reason) for row, reason in value_faults(values)]
    faults.sort(key=lambda fault: (fault.record, -1 if fault.number is None else fault.number))
    return Objects(records, numbers, values, _sizes(labels, starts, np.where(whole, before, 0)), faults)


def _divided(labels: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> tuple:
    """Whether each label consists of A numbers and objects of B numbers; A, B: (labels,) bool, int64, int64."""
    long = counts >= HEAD
    before, width = (np.full(len(counts), fewest, np.float64) for fewest in (HEAD, OBJECT))
    before[long], width[long] = labels[starts[long]], labels[starts[long] + 1]
    whole = long & _count(before, HEAD, counts) & _count(width, OBJECT, np.full(len(counts), 1 << 16))
    before, width = np.where(whole, before, HEAD).astype(np.int64), np.where(whole, width, OBJECT).astype(np.int64)
    return whole & ((counts - before) % width == 0), before, width


def _count(values: np.ndarray, least: int, most: np.ndarray) -> np.ndarray:
    with np.errstate(invalid='ignore'):
        return (values >= least) & (values <= most) & (values == np.floor(values))


def _values(labels: np.ndarray, begins: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The understood numbers of the objects that begin at some places: (n, 8) float32."""
    values = np.empty((len(begins), VALUES), np.float32)
    values[:, :OBJECT] = labels[begins[:, None] + np.arange(OBJECT)]
    for column, default in enumerate(_DEFAULTS, OBJECT):
        known = (widths > column) & (widths <= VALUES)
        values[~known, column] = default
        values[known, column] = labels[begins[known] + column]
    return values


def _sizes(labels: np.ndarray, starts: np.ndarray, before: np.ndarray) -> np.ndarray:
    sizes = np.full((len(starts), 2), np.nan, np.float32)
    stated = before >= HEAD + 2
    sizes[stated] = labels[starts[stated][:, None] + [HEAD, HEAD + 1]]
    return sizes


def _shape_fault(labels: np.ndarray, start: int, count: int) -> str:
    if count < HEAD:
        return f'has {count} label, as records of classification: it holds no boxes'
    before, width = labels[start : start + HEAD]
    return (
        f'has {count} labels that begin with {before:g}, {width:g}: these are not [A, B, ...] and objects of B numbers'
    )


def value_faults(values: np.ndarray) -> Iterator[tuple]:
    """Find the objects that cannot be used.

    Args:
        values: see :class:`Objects`.

    Yields:
        (index of the row, reason), by kind.
    """
    found = np.zeros(len(values), bool)
    for wrong, reason in _VALUE_FAULTS:
        rows = wrong(values) & ~found
        found |= rows
        yield from ((row, reason(values[row])) for row in np.flatnonzero(rows))


def _not_finite(values: np.ndarray) -> np.ndarray:
    return (~np.isfinite(values[:, :OBJECT])).any(axis=1)


def _reversed(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid='ignore'):
        return (values[:, 3] <= values[:, 1]) | (values[:, 4] <= values[:, 2])


def _not_flags(values: np.ndarray) -> np.ndarray:
    return ((values[:, 5:7] != 0) & (values[:, 5:7] != 1)).any(axis=1)


def _no_area(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid='ignore'):
        return (values[:, 7] < 0) | np.isinf(values[:, 7])


def _corners(row: np.ndarray) -> str:
    return 'the corners ' + ', '.join(f'{value:g}' for value in row[1:OBJECT])


_VALUE_FAULTS = (
    (_not_finite, lambda row: f'class {row[0]:g} and {_corners(row)} are not all finite'),
    (lambda values: ~are_classes(values[:, 0]), lambda row: f'{row[0]:g} is no class, a whole number from 0'),
    (_reversed, lambda row: f'{_corners(row)} enclose nothing: xmin < xmax and ymin < ymax are needed'),
    (_not_flags, lambda row: f'{row[5]:g} and {row[6]:g} after the corners are not the flags difficult and crowd'),
    (_no_area, lambda row: f'its area is {row[7]:g}'),
)

"""Recognition of records of detection, whose labels are boxes: no command for classification may take them for classes.

:mod:`gluon_cbam.data.boxes.objects` describes the layout of such a label, ``[A, B, extra..., object...]``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

_SAMPLE = 64  # labels that are read
_MOST_BEFORE = 64  # numbers before the objects; more is no such label
_MOST_OF_OBJECT = 1 << 10  # numbers of an object
_MOST = 0.5  # share of the objects that must be plausible: a file with faults is still one of boxes
_FAR = 2.0  # corners are shares of the width and height; this is far outside


class LabeledRecords(Protocol):
    """What is needed of an opened file: the number of labels of each record, and all labels of one."""

    label_counts: np.ndarray

    def labels_of(self, number: int) -> np.ndarray:
        """All labels of a record."""


def is_detection(records: LabeledRecords) -> bool:
    """Whether the labels of all records seem to be boxes: a part of the labels is read, and the counts of all.

    Args:
        records: the record file.

    Returns:
        True if the sampled labels have one A and B, a whole number of objects, and classes and corners in most of
        these.
    """
    counts = records.label_counts
    if not len(counts) or counts.min() < 2:
        return False
    chosen = np.unique(np.linspace(0, len(counts) - 1, _SAMPLE).astype(np.int64))
    labels = [records.labels_of(int(number)) for number in chosen]
    before, width = labels[0][:2].tolist()
    if before not in range(2, _MOST_BEFORE) or width not in range(5, _MOST_OF_OBJECT):
        return False
    head, row = int(before), int(width)
    if any(label[0] != head or label[1] != row or (len(label) - head) % row or len(label) < head for label in labels):
        return False
    plausible = _plausible(np.concatenate([label[head:] for label in labels]).reshape(-1, row)[:, :5])
    return not len(plausible) or plausible.mean() > _MOST


def _plausible(rows: np.ndarray) -> np.ndarray:
    """Whether each object that is no padding has a class and corners."""
    rows = rows[(rows != -1).any(axis=1)]
    with np.errstate(invalid='ignore'):
        classes = (rows[:, 0] == np.floor(rows[:, 0])) & (rows[:, 0] >= 0)
        return classes & (np.abs(rows[:, 1:]) <= _FAR).all(axis=1)

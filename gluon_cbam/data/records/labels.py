"""The labels of records: how many each has, and whether they can be classes."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.limits import MAX_CLASSES

from .format import MAX_LABELS


def checked_index(index: Optional[int]) -> Optional[int]:
    """Return the index of a label in a record, or None, if it is one.

    Raises:
        UsageError: no record can have such a label.
    """
    if index is not None and not 0 <= index < MAX_LABELS:
        raise UsageError(f'--label-index is counted from 0, up to {MAX_LABELS - 1}, got {index}')
    return index


class Wrong(NamedTuple):
    """Records whose labels cannot be used.

    Attributes:
        records: how many there are.
        number: index of the first among all records.
        reason: the fault of the first, for messages: ``has 3 labels``.
    """

    records: int
    number: int
    reason: str


def wrong_counts(counts: np.ndarray, index: Optional[int]) -> Optional[Wrong]:
    """Find records with several labels, or with too few for a chosen one.

    Args:
        counts: (records,) number of labels of each record.
        index: the label that is used, from 0; None for records with one.

    Returns:
        The records; None if there is none.
    """
    wrong = counts > 1 if index is None else counts <= index
    return _first(wrong, lambda number: 'has ' + ('1 label' if counts[number] == 1 else f'{counts[number]} labels'))


def wrong_classes(labels: np.ndarray, classes: int = MAX_CLASSES) -> Optional[Wrong]:
    """Find labels that are no class indices.

    Args:
        labels: (records,) float32, the label of each record.
        classes: number of classes; default as many as labels can number.

    Returns:
        The records; None if there is none.
    """
    limit = 'a class' if classes == MAX_CLASSES else f'a class in 0..{classes - 1}'
    return _first(~are_classes(labels, classes), lambda number: f'has label {labels[number]:g}, not {limit}')


def are_classes(labels: np.ndarray, classes: int = MAX_CLASSES) -> np.ndarray:
    """Whether each label is an integer in 0 .. classes - 1: (records,) bool."""
    with np.errstate(invalid='ignore'):
        return (labels >= 0) & (labels < classes) & (labels == np.floor(labels))


def label_counts(counts: np.ndarray) -> Dict[int, int]:
    """How many records have each number of labels."""
    values, records = np.unique(counts, return_counts=True)
    return dict(zip(values.tolist(), records.tolist()))


def unfit_for_classes(labels: np.ndarray, counts: np.ndarray, index: Optional[int]) -> Optional[Wrong]:
    """Find the first reason for which records do not fit classification, which may be right for another task.

    Args:
        labels: (records,) float32, the label of each record.
        counts: (records,) number of labels of each record.
        index: the label that is used, from 0; None for records with one.

    Returns:
        The records; None if there is none.
    """
    return wrong_counts(counts, index) or wrong_classes(labels)


def _first(wrong: np.ndarray, reason: Callable[[int], str]) -> Optional[Wrong]:
    if not wrong.any():
        return None
    number = int(np.flatnonzero(wrong)[0])
    return Wrong(int(np.count_nonzero(wrong)), number, reason(number))

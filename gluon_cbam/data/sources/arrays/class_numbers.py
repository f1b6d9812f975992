"""Labels of arrays as class indices, from 0, and the names of the classes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.limits import MAX_CLASSES

_MAX_NAMED = 1 << 20  # classes that are named after their numbers


def checked_labels(values: np.ndarray, path: Path) -> np.ndarray:
    """Check that numbers can be labels of classes.

    Args:
        values: numbers of any type and shape.
        path: path of their file, for messages.

    Returns:
        (N,) int64.

    Raises:
        DataError: they are no column, or not whole numbers in the range of classes.
    """
    if values.ndim != 1:
        raise DataError(f'{path}: labels of {values.ndim} axes {values.shape}, not one label an image')
    wrong = ~((values >= 0) & (values < MAX_CLASSES) & (values == np.floor(values)))  # also NaN
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f'{path}: label {number} is {values[number]:g}, and no class, an integer in 0..{MAX_CLASSES - 1}'
        )
    return values.astype(np.int64)


def number_classes(
    labels: Sequence[np.ndarray], names: Sequence[str], first: int, given: Optional[List[str]], path: Path
) -> Tuple[List[np.ndarray], List[str]]:
    """Number the classes of a data set from 0.

    Args:
        labels: the labels of each split.
        names: the names of the classes that its files or its maker give; empty if unknown.
        first: the label of the first of these.
        given: the names of the classes in the order of the labels that the user gives; None without.
        path: path of the data set, for messages.

    Returns:
        The class indices of each split, and the names of the classes.

    Raises:
        UsageError: the labels do not begin at 0, and nothing says whether they count from 1.
        DataError: there are labels without a name.
    """
    low, high = int(min(values.min() for values in labels)), int(max(values.max() for values in labels))
    classes = list(given if given is not None else names)
    if not classes:
        if low > 0:
            raise UsageError(
                f'{path}: labels in {low}..{high} do not begin at 0: name the classes with --classes-file, '
                f'{high} of them if labels count from 1, {high + 1} if they count from 0'
            )
        classes = [str(number) for number in range(high + 1)] if high < _MAX_NAMED else []
        return list(labels), classes
    if not names and given is not None:
        first = 1 if low > 0 and high == len(classes) else 0
    if low < first or high - first >= len(classes):
        raise DataError(f'{path}: labels in {low}..{high} cannot be numbers of {len(classes)} classes from {first} on')
    return [values - first for values in labels], classes

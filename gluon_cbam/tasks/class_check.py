"""The check of data against a network: whether both have the same classes, and whether labels look right."""

from __future__ import annotations

from typing import Optional

from gluon_cbam.common.files import PathLike
from gluon_cbam.data.class_names import ClassNames

from .base import Task
from .classes import ClassCheck
from .protocols import Dataset


def check_classes(
    task: Task,
    expected: ClassNames,
    path: PathLike,
    ignore: bool = False,
    data: Optional[Dataset] = None,
    classes: Optional[int] = None,
) -> ClassCheck:
    """Compare the names of a network's classes with those of data, and look at the labels.

    Args:
        task: the task of the network.
        expected: the names of the network's classes.
        path: path of the data.
        ignore: do not compare.
        data: the opened data, for hints about its labels; default none.
        classes: outputs of the network, for these hints.

    Returns:
        What was compared, and lines for the log.

    Raises:
        DataError: the names differ.
    """
    check = task.compare_classes(expected, task.class_names(path), ignore)
    hints = task.label_hints(data, classes) if data is not None and classes is not None else []
    return check + ClassCheck(None, tuple(hints))

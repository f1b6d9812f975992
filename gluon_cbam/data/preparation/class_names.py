"""``classes.txt``: the names of the classes, one in a line, in the order of the class indices."""

from __future__ import annotations

from pathlib import Path
from typing import List

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import write_text


def check_classes(folder: Path, classes: List[str]) -> None:
    """Check that the ``classes.txt`` of a folder, if it exists, has the same classes.

    Args:
        folder: folder of the record files.
        classes: names in the order of the class indices; if empty, nothing is checked.

    Raises:
        DataError: it has other classes, so that the labels of existing files would mean something else.
    """
    path = folder / 'classes.txt'
    if classes and path.is_file() and path.read_text(encoding='utf-8') != _text(classes):
        raise DataError(f'{path} names other classes than these {len(classes)}: use another folder, or remove it')


def write_classes(folder: Path, classes: List[str]) -> None:
    """Write ``classes.txt`` to a folder, one name in a line.

    Args:
        folder: folder of the record files.
        classes: names in the order of the class indices; if empty, nothing is written.
    """
    if classes:
        write_text(folder / 'classes.txt', _text(classes))


def _text(classes: List[str]) -> str:
    return ''.join(f'{name}\n' for name in classes)

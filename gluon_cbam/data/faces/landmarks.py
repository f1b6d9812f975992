"""Five landmarks of the face in a picture: from a table of all pictures, or from a text file beside each.

* CSV: ``path,x1,y1,...,x5,y5`` in each line; the names of the columns may come first.
* JSON: a mapping from the path to five pairs ``[x, y]`` or to ten numbers.
* ``NAME.txt`` beside ``NAME.jpg``: ten numbers, ``x1 y1 ... x5 y5``, on any number of lines.

The points are both eyes, the nose and both corners of the mouth, in pixels of the picture, its left one first. Paths
are relative to the folder of the pictures.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.documents import read_json, read_text
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import lines, open_regular
from gluon_cbam.common.quoting import shown, shown_name
from gluon_cbam.data.records.growing_array import GrowingArray

BESIDE = 'txt'
"""What stands for text files beside the pictures in place of the path of a table."""
_MOST_JSON, _MOST_FILE = 1 << 28, 1 << 16  # bytes
_NUMBERS = 10

FindLandmarks = Callable[[str], Optional[np.ndarray]]
"""Called with the path of a picture in its folder; returns (5, 2) float64, or None where there are no landmarks."""


def landmarks_of(given: str, folder: Path) -> FindLandmarks:
    """Open the landmarks of the pictures in a folder.

    Args:
        given: path of a ``.csv`` or ``.json``, or :data:`BESIDE`.
        folder: the folder of the pictures.

    Returns:
        A function that finds the landmarks of a picture.

    Raises:
        UsageError: there is no such file, it has another ending, or the pictures are not in a folder.
        DataError: the table is damaged.
    """
    if given == BESIDE:
        if not folder.is_dir():
            raise UsageError(f'{folder} is no folder, whose pictures may have a .txt beside them: give a table')
        return lambda name: _beside(folder / name)
    path = Path(given)
    rows = _TABLES.get(path.suffix.lower())
    if rows is None or not path.is_file():
        kinds = ', '.join(_TABLES)
        raise UsageError(f'landmarks are a table ({kinds}) or {BESIDE!r} for a .txt beside each picture, not {given!r}')
    return _Table(path, rows(path)).find


class _Table:
    """The landmarks of many pictures, in little memory."""

    def __init__(self, path: Path, rows: Iterator[Tuple[str, str, Sequence[Any]]]) -> None:
        self._numbers: Dict[str, int] = {}
        points = GrowingArray(np.float64)
        for where, name, values in rows:
            if name in self._numbers:
                raise DataError(f'{path}: {where}: {shown_name(name)} is given twice')
            self._numbers[name] = len(self._numbers)
            points.append(_points(values, f'{path}: {where}'))
        if not self._numbers:
            raise DataError(f'{path}: it has no landmarks')
        self._points = points.joined().reshape(-1, 5, 2)

    def find(self, name: str) -> Optional[np.ndarray]:
        """The landmarks of a picture."""
        number = self._numbers.get(name)
        return None if number is None else self._points[number]


def _csv_rows(path: Path) -> Iterator[Tuple[str, str, Sequence[Any]]]:
    """Place, path and numbers of each line."""
    try:
        with open_regular(path) as file:
            texts = (line.decode('utf-8-sig') for line in lines(file, path))  # spreadsheets write a byte order mark
            for number, row in enumerate(csv.reader(texts, strict=True), 1):
                if any(cell.strip() for cell in row) and not (number == 1 and row[0].strip().lower() == 'path'):
                    yield f'line {number}', _name(row[0]), row[1:]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f'{path}: no CSV in UTF-8 ({error})') from None


def _json_rows(path: Path) -> Iterator[Tuple[str, str, Sequence[Any]]]:
    """Place, path and numbers of each picture."""
    value = read_json(path, _MOST_JSON)
    if not isinstance(value, dict):
        raise DataError(f'{path}: no mapping from paths to landmarks')
    for name, points in value.items():
        values = points if isinstance(points, list) else []
        pairs = [number for pair in values if isinstance(pair, list) and len(pair) == 2 for number in pair]
        yield f'the landmarks of {shown_name(name)}', _name(name), pairs if len(values) == _NUMBERS // 2 else values


_TABLES: Dict[str, Callable[[Path], Iterator[Tuple[str, str, Sequence[Any]]]]] = {
    '.csv': _csv_rows, '.json': _json_rows,
}  # fmt: skip


def _name(path: str) -> str:
    return path.strip()[2:] if path.strip().startswith('./') else path.strip()


def _beside(picture: Path) -> Optional[np.ndarray]:
    """The landmarks in the text file beside a picture."""
    path = picture.with_suffix('.txt')
    if not path.is_file():
        return None
    return _points(read_text(path, _MOST_FILE).replace(',', ' ').split(), str(path)).reshape(5, 2)


def _points(values: Sequence[Any], where: str) -> np.ndarray:
    """Ten numbers: (10,) float64."""
    try:
        if len(values) != _NUMBERS or any(isinstance(value, bool) for value in values):
            raise ValueError
        points = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        raise DataError(f'{where}: not ten numbers x1, y1, ... x5, y5: {shown(list(values))}') from None
    if not np.isfinite(points).all():
        raise DataError(f'{where}: a coordinate is not finite')
    return points

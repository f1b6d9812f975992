"""Lists of pairs of pictures in a folder: LFW's ``pairs.txt`` and CSV files.

* LFW's list: a line of the numbers of folds and of pairs of each kind in a fold (``10<tab>300``), or of the latter
  alone (``1100``, one part), then for each fold as many pairs of one person (``name n1 n2``) and of two (``name1 n1
  name2 n2``), separated by tabs. Picture n of a person is ``NAME/NAME_000n.jpg`` in the folder.
* CSV: lines ``path_a,path_b,same`` with paths in the folder and 0, 1, false or true; the names of the columns may come
  first.
"""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path, PurePosixPath
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import read_regular
from gluon_cbam.common.limits import MAX_IMAGE_BYTES
from gluon_cbam.common.quoting import shown, shown_name
from gluon_cbam.data.decoding import IMAGE_ENDINGS

_MOST = 1 << 28  # bytes of a list
_COUNT = re.compile(r'\d{1,9}', re.ASCII)
_SAME = {'0': False, '1': True, 'false': False, 'true': True}
_HEADER = ('path_a', 'path_b', 'same')


class ListedPairs(NamedTuple):
    """The pairs of a list.

    Attributes:
        names: the paths of the pictures relative to the folder; of LFW's list without the ending.
        pairs: (P, 2) int64, the numbers of the pictures of each pair.
        same: (P,) bool, whether they show one person.
        folds: number of folds.
    """

    names: List[str]
    pairs: np.ndarray
    same: np.ndarray
    folds: int


class FolderPictures:
    """The encoded pictures of a list, read when they are asked for.

    Args:
        folder: their folder.
        names: their paths relative to it; a name without the ending of a picture is searched for with each of them.

    Raises:
        DataError: a picture does not exist.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.paths = [_existing(folder, name) for name in names]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> bytes:
        return read_regular(self.paths[number], MAX_IMAGE_BYTES)


def read_pairs(path: Path, folds: int = 10) -> ListedPairs:
    """Read a list of pairs.

    Args:
        path: path of the list. One that ends with ``.csv`` is a CSV file.
        folds: number of folds, where the list does not say it.

    Returns:
        Its pairs, in the order of the lines.

    Raises:
        DataError: a line is no pair, or the numbers of pairs are not those of the first line.
    """
    text = read_text(path, _MOST).lstrip('\ufeff')  # which spreadsheets write
    try:
        return (_csv if path.suffix.lower() == '.csv' else _lfw)(text, folds)
    except _Wrong as wrong:
        raise DataError(f'{path}: {wrong}') from None


class _Wrong(Exception):
    """The fault of a list, for messages."""


class _Names:
    """The number of each name, from 0, in the order of the first use."""

    def __init__(self) -> None:
        self.numbers: Dict[str, int] = {}

    def __call__(self, name: str, line: int) -> int:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith('/') or '..' in parts or '\0' in name:
            raise _Wrong(f'line {line} names {shown(name)}, not a file in the folder of the pictures')
        return self.numbers.setdefault(name, len(self.numbers))


def _csv(text: str, folds: int) -> ListedPairs:
    names, same = _Names(), []
    pairs: List[Tuple[int, int]] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), strict=True), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (not pairs and tuple(cell.lower() for cell in cells) == _HEADER):
                continue
            if len(cells) != 3 or cells[2].lower() not in _SAME:
                raise _Wrong(f'line {number} is not "path_a,path_b,same" with 0 or 1: {shown(",".join(row))}')
            pairs.append((names(cells[0], number), names(cells[1], number)))
            same.append(_SAME[cells[2].lower()])
    except csv.Error as error:
        raise _Wrong(f'no CSV ({error})') from None
    return _listed(names, pairs, same, folds)


def _lfw(text: str, folds: int) -> ListedPairs:
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    head = lines[0][1] if lines else []
    if len(head) not in (1, 2) or not all(_COUNT.fullmatch(cell) and int(cell) for cell in head):
        raise _Wrong('its first line is not "folds pairs", as "10 300" of LFW, or the number of pairs alone')
    names, pairs, same = _Names(), [], []
    for number, cells in lines[1:]:
        pair, one = _lfw_pair(cells, number)
        pairs.append((names(pair[0], number), names(pair[1], number)))
        same.append(one)
    found = _listed(names, pairs, same, int(head[0]) if len(head) == 2 else folds)
    _check_order(found.same, int(head[0]) if len(head) == 2 else 1, int(head[-1]))
    return found


def _lfw_pair(cells: Sequence[str], line: int) -> Tuple[Tuple[str, str], bool]:
    """The names of a line of LFW's list, and whether they show one person."""
    if len(cells) == 3:
        cells = [cells[0], cells[1], cells[0], cells[2]]
        one = True
    else:
        one = False
    if len(cells) != 4 or not (_COUNT.fullmatch(cells[1]) and _COUNT.fullmatch(cells[3])):
        raise _Wrong(f'line {line} is neither "name n1 n2" nor "name1 n1 name2 n2": {shown(" ".join(cells))}')
    first, second = (
        (person, f'{person}/{person}_{int(number):04d}') for person, number in zip(cells[::2], cells[1::2])
    )
    return (first[1], second[1]), one


def _check_order(same: np.ndarray, folds: int, pairs: int) -> None:
    """Check that each fold has as many pairs of one person, then of two, as the first line states."""
    expected = np.tile(np.repeat([True, False], pairs), folds) if folds * pairs == len(same) // 2 else None
    if expected is None or len(same) != len(expected):
        raise _Wrong(f'{len(same)} pairs instead of 2 x {pairs} in each of {folds} folds, as its first line states')
    wrong = np.flatnonzero(same != expected)
    if len(wrong):
        fold = wrong[0] // (2 * pairs) + 1
        raise _Wrong(f'fold {fold} has not {pairs} pairs of one person, then {pairs} of two (pair {wrong[0]})')


def _listed(names: _Names, pairs: Sequence[Tuple[int, int]], same: Sequence[bool], folds: int) -> ListedPairs:
    if not pairs:
        raise _Wrong('the list has no pair')
    return ListedPairs(list(names.numbers), np.asarray(pairs, np.int64), np.asarray(same, bool), folds)


def _existing(folder: Path, name: str) -> Path:
    endings = ('',) if name.lower().endswith(IMAGE_ENDINGS) else IMAGE_ENDINGS
    for path in (folder / f'{name}{ending}' for ending in endings):
        if os.path.isfile(path):  # False as well for names that no file can have
            return path
    raise DataError(f'{folder}: no picture {shown_name(name)}: name the folder of the pictures of the list')


def lists_in(folder: Path) -> List[Path]:
    """The lists of pairs in a folder: ``pairs.txt``, ``pairs.csv``, both or none."""
    return [folder / name for name in ('pairs.txt', 'pairs.csv') if (folder / name).is_file()]


def list_in(folder: Path) -> Path:
    """The list of pairs in a folder.

    Args:
        folder: the folder.

    Raises:
        UsageError: it has none, or several.
    """
    found = lists_in(folder)
    if len(found) != 1:
        raise UsageError(
            f'{folder}: {"no" if not found else "both"} pairs.txt {"or" if not found else "and"} pairs.csv'
        )
    return found[0]

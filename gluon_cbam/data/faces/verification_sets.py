"""Verification sets: pairs of pictures, and whether they show one person. Each form of a file is a row of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Optional, Protocol

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.decoding import decode

from .archived_sets import read_archived
from .pair_lists import FolderPictures, list_in, read_pairs
from .pickled_sets import read_pickled

DEFAULT_FOLDS = 10


class Pictures(Protocol):
    """Encoded pictures by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> bytes: ...


class VerificationSet:
    """Pairs of pictures, and whether they show one person.

    Reading pictures is safe in several threads.

    Args:
        path: path of the set.
        pictures: the encoded pictures.
        pairs: (P, 2) int64, the numbers of the two pictures of each pair, from 0.
        same: (P,) bool, whether they show one person.
        folds: number of folds of the protocol, in the order of the pairs.

    Attributes:
        name: name of the file without its ending, such as ``lfw``.
        path: as given.
        pictures: as given.
        pairs: as given.
        same: as given.
        folds: as given.

    Raises:
        DataError: there is no pair, fewer than folds, or a pair names a picture that does not exist.
    """

    def __init__(self, path: Path, pictures: Pictures, pairs: np.ndarray, same: np.ndarray, folds: int) -> None:
        self.name, self.path, self.pictures = path.stem, path, pictures
        self.pairs, self.same, self.folds = pairs, same, folds
        if not len(pairs):
            raise DataError(f'{path}: the verification set has no pair')
        if folds < 1:
            raise DataError(f'{path}: a verification set of {folds} folds')
        outside = np.flatnonzero(((pairs < 0) | (pairs >= len(pictures))).any(axis=1))
        if len(outside):
            number = int(outside[0])
            raise DataError(f'{path}: pair {number} is {pairs[number].tolist()}, of {len(pictures)} pictures')

    def __len__(self) -> int:
        return len(self.pictures)

    def picture_name(self, number: int) -> str:
        """What a message or a figure calls a picture.

        Args:
            number: number of the picture, from 0.
        """
        if isinstance(self.pictures, FolderPictures):
            return str(self.pictures.paths[number])
        return f'{self.path}: picture {number}'

    def load(self, number: int) -> np.ndarray:
        """Decode a picture.

        Args:
            number: number of the picture, from 0.

        Returns:
            (H, W, 3) uint8, RGB.

        Raises:
            DataError: it cannot be decoded; the message names it.
            OSError: it cannot be read.
        """
        return decode(self.pictures[number], self.picture_name(number))


def open_verification_set(path: PathLike, folder: Optional[PathLike] = None) -> VerificationSet:
    """Open a verification set.

    Args:
        path: ``.bin`` of insightface, see :mod:`.pickled_sets`; ``.npz``, see :mod:`.archived_sets`; a list of pairs,
            ``.txt`` or ``.csv``, see :mod:`.pair_lists`; or a folder with ``pairs.txt`` or ``pairs.csv``.
        folder: the folder of the pictures of a list; default the folder that has the list.

    Returns:
        The set, with the pairs and folds in the order of the file. Pictures are not decoded yet.

    Raises:
        UsageError: there is no such file, it has another ending, or a folder is given for a file that is no list.
        DataError: the file is damaged, would run code, or a picture is missing.
    """
    source = Path(path)
    if source.is_dir():
        source = list_in(source)
    if not source.is_file():
        raise UsageError(f'no verification set {str(source)!r}')
    ending = source.suffix.lower()
    if ending in _LISTS:
        return _listed(source, source.parent if folder is None else Path(folder))
    if ending not in _FILES:
        known = ', '.join((*_FILES, *_LISTS))
        raise UsageError(f'{source}: a verification set ends with {known}, not with {source.suffix!r}')
    if folder is not None:
        raise UsageError(f'{source} holds its pictures: a folder is for lists of pairs')
    return _FILES[ending](source)


def _pickled(path: Path) -> VerificationSet:
    pictures, same = read_pickled(path)
    pairs = np.arange(2 * len(same), dtype=np.int64).reshape(-1, 2)
    return VerificationSet(path, pictures, pairs, same, DEFAULT_FOLDS)


def _archived(path: Path) -> VerificationSet:
    return VerificationSet(path, *read_archived(path))


def _listed(path: Path, folder: Path) -> VerificationSet:
    names, pairs, same, folds = read_pairs(path, DEFAULT_FOLDS)
    return VerificationSet(path, FolderPictures(folder, names), pairs, same, folds)


_FILES: Dict[str, Callable[[Path], VerificationSet]] = {'.bin': _pickled, '.npz': _archived}
FILE_ENDINGS = tuple(_FILES)
"""Endings of files that hold a set with its pictures."""
_LISTS = ('.txt', '.csv')

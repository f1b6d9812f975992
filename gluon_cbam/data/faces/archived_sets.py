"""Verification sets in an archive of numpy, ``.npz``, which holds no code and which any program reads.

* ``pictures`` (B,) uint8: the encoded pictures, one after another;
* ``ends`` (N,) int64: the end of each picture in ``pictures``;
* ``pairs`` (P, 2) int64: the numbers of the two pictures of each pair, from 0;
* ``same`` (P,) bool: whether they show one person;
* ``folds`` () int64: the number of folds of the protocol.

Each picture is stored once, however many pairs it occurs in. Nothing is compressed: pictures are.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from gluon_cbam.common import numpy_file
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.files import PathLike, atomic_path

_TYPES = {'pictures': ('u1', 1), 'ends': ('i8', 1), 'pairs': ('i8', 2), 'same': ('b1', 1), 'folds': ('i8', 0)}


class _Pictures:
    """The encoded pictures of an archive."""

    def __init__(self, data: np.ndarray, ends: np.ndarray) -> None:
        self._data, self._bounds = data, np.concatenate([[0], ends])

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, number: int) -> bytes:
        return self._data[self._bounds[number] : self._bounds[number + 1]].tobytes()


class ArchivedSet(NamedTuple):
    """The contents of an archive.

    Attributes:
        pictures: the encoded pictures.
        pairs: (P, 2) int64, the numbers of two pictures.
        same: (P,) bool, whether they show one person.
        folds: number of folds.
    """

    pictures: _Pictures
    pairs: np.ndarray
    same: np.ndarray
    folds: int


def read_archived(path: PathLike) -> ArchivedSet:
    """Read an archive.

    Args:
        path: path of the file. It is read into memory.

    Returns:
        Its pictures and pairs.

    Raises:
        DataError: it is damaged, or lacks one of the arrays.
    """
    arrays = numpy_file.read(Path(path))
    with reading(path, 'not a verification set'):
        for name, (kind, axes) in _TYPES.items():
            if name not in arrays:
                raise Damaged(f'it has no array {name}')
            if arrays[name].dtype.str[1:] != kind or arrays[name].ndim != axes:
                raise Damaged(f'{name} is {arrays[name].dtype} of {arrays[name].ndim} axes, not {kind} of {axes}')
        pictures, ends, pairs = (arrays[name] for name in ('pictures', 'ends', 'pairs'))
        if not len(ends) or ends[0] < 0 or ends[-1] != len(pictures) or (ends[1:] < ends[:-1]).any():
            raise Damaged(f'the ends of the pictures do not fit their {len(pictures)} bytes')
        if pairs.shape != (len(arrays['same']), 2):
            raise Damaged(f'{len(arrays["same"])} booleans for pairs of shape {pairs.shape}')
    return ArchivedSet(_Pictures(pictures, ends), pairs, arrays['same'], int(arrays['folds']))


def write_archived(
    path: PathLike, pictures: Sequence[bytes], pairs: np.ndarray, same: np.ndarray, folds: int = 10
) -> None:
    """Write an archive atomically; the same set gives the same bytes.

    Args:
        path: path of the file; an existing one is replaced.
        pictures: the encoded pictures.
        pairs: (P, 2), the numbers of two pictures.
        same: (P,) bool, whether they show one person.
        folds: number of folds.
    """
    ends = np.cumsum([len(picture) for picture in pictures], dtype=np.int64)
    file = io.BytesIO()  # zipfile prints a traceback where a full disk refuses the end of a file
    np.savez(
        file, pictures=np.frombuffer(b''.join(pictures), np.uint8), ends=ends, pairs=np.asarray(pairs, np.int64),
        same=np.asarray(same, bool), folds=np.asarray(folds, np.int64),
    )  # fmt: skip
    with atomic_path(path) as temporary:
        temporary.write_bytes(file.getvalue())

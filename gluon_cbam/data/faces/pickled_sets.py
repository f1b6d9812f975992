"""Verification sets as insightface's ``.bin``: a pickle of a list of 2P encoded pictures and a list of P booleans.

Pair i is pictures 2i and 2i + 1. Pictures are ``str`` of Python 2, ``bytes``, ``bytearray`` or arrays of uint8, flat or
columns; booleans are bools, 0 and 1, or numpy's booleans or integers of any size. Source: ``load_bin`` of insightface's
``verification.py``, and ``lfw2pack.py``.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from gluon_cbam.common import pickles
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.files import PathLike, atomic_path, read_regular
from gluon_cbam.common.pickled_arrays import PickledArray, array_globals
from gluon_cbam.common.quoting import shown

MAX_BYTES = 1 << 32
"""The largest size of a file in bytes; the largest public sets have 14,000 pictures in 0.1 GB."""
PROTOCOLS = (2, 4)
"""The protocols that are written: 2 for Python 2 and 3, 4 for Python 3."""
_SLACK, _BYTES_OF_OPERATION = 1 << 16, 16  # an array takes 30 operations, and a picture of 112 x 112 pixels 3 KB


class PickledSet(NamedTuple):
    """The contents of a file.

    Attributes:
        pictures: the encoded pictures, two for each pair.
        same: (P,) bool, whether the pictures of a pair show one person.
    """

    pictures: List[bytes]
    same: np.ndarray


def read_pickled(path: PathLike) -> PickledSet:
    """Read a file of any protocol of Python 2 or 3, without running code that it may hold.

    Args:
        path: path of the file. It is read into memory.

    Returns:
        Its pictures and pairs.

    Raises:
        DataError: the file is damaged, is too large, holds other objects than pictures and booleans, or the numbers of
            pictures and pairs do not fit.
        OSError: it cannot be read.
    """
    content = read_regular(path, MAX_BYTES)
    with reading(path, 'not a verification set of insightface'):
        most = _SLACK + len(content) // _BYTES_OF_OPERATION
        value = pickles.load(io.BytesIO(content), array_globals(2 * len(content)), strict=True, most_operations=most)
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise Damaged('it holds no pair of a list of pictures and a list of booleans')
        pictures, same = _pictures(value[0]), _booleans(value[1])
        if len(pictures) != 2 * len(same):
            raise Damaged(f'{len(pictures)} pictures for {len(same)} pairs, which have two each')
    return PickledSet(pictures, same)


def write_pickled(path: PathLike, pictures: Sequence[bytes], same: np.ndarray, protocol: int = 4) -> None:
    """Write a file that insightface's scripts read, atomically.

    Args:
        path: path of the file; an existing one is replaced.
        pictures: the encoded pictures, two for each pair.
        same: (P,) bool, whether the pictures of a pair show one person.
        protocol: one of :data:`PROTOCOLS`. Protocol 2 takes half more space.
    """
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        pickle.dump((list(pictures), np.asarray(same, bool).tolist()), file, protocol=protocol)


def _pictures(values: Any) -> List[bytes]:
    """The encoded pictures of a list; one that occurs several times takes its memory once."""
    if not isinstance(values, (list, tuple)):
        raise Damaged(f'no list of pictures, but {shown(values)}')
    seen: Dict[int, bytes] = {}
    for number, value in enumerate(values):
        if id(value) not in seen:
            seen[id(value)] = _picture(value, number)
    return [seen[id(value)] for value in values]


def _picture(value: Any, number: int) -> bytes:
    if isinstance(value, PickledArray):
        if value.code != 'u1' or not value.flat:
            raise Damaged(f'picture {number} is an array of other values than the bytes of an encoded picture')
        value = value.values
    if not isinstance(value, (str, bytes, bytearray)):
        raise Damaged(f'picture {number} is no encoded picture, but {shown(value)}')
    return value.encode('latin-1') if isinstance(value, str) else bytes(value)


def _booleans(values: Any) -> np.ndarray:
    """Whether the pictures of each pair show one person: (P,) bool."""
    if isinstance(values, PickledArray) and values.flat:
        values = values.elements().tolist()
    if not isinstance(values, (list, tuple)):
        raise Damaged(f'no list of booleans, but {shown(values)}')
    found = np.empty(len(values), bool)
    for number, item in enumerate(values):
        value = item.elements().tolist()[0] if isinstance(item, PickledArray) and item.count == 1 else item
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise Damaged(f'pair {number} has no boolean, but {shown(value)}')
        found[number] = value
    return found

"""Run lengths of masks: the pixels of background and object in turn, down the columns of a picture.

Compressed, they are the text of pycocotools (``rleToString`` of its ``common/maskApi.c``): five bits a character, the
lowest first; from the fourth length on, the difference to the last but one.
"""

from __future__ import annotations

from typing import Sequence, Union

import numpy as np

from gluon_cbam.common.quoting import shown

_BITS, _MORE, _FIRST = 5, 0x20, 48  # of a character
_LONGEST = 11  # characters of a length, whose bits an int64 holds


def compressed(counts: Union[Sequence[int], np.ndarray]) -> str:
    """The text of run lengths.

    Args:
        counts: (n,) whole numbers from 0, of background first.
    """
    values = np.array(counts, np.int64)
    values[3:] -= values[1:-2].copy()
    shifts = _BITS * np.arange(_LONGEST)
    limits = np.int64(1) << (shifts[1:] - 1)  # of the numbers that fewer characters hold
    letters = 1 + ((values[:, None] < -limits) | (values[:, None] >= limits)).sum(axis=1, keepdims=True)
    place = np.arange(_LONGEST)
    codes = (values[:, None] >> shifts & (_MORE - 1)) + np.where(place < letters - 1, _MORE, 0) + _FIRST
    return codes[place < letters].astype(np.uint8).tobytes().decode('ascii')


def uncompressed(text: str) -> np.ndarray:
    """The run lengths of a text of :func:`compressed`.

    Args:
        text: the text.

    Returns:
        (n,) int64; some may be negative where the text is damaged.

    Raises:
        ValueError: it is no such text.
    """
    codes = np.frombuffer(text.encode('utf-8', 'surrogatepass'), np.uint8).astype(np.int64) - _FIRST
    if ((codes < 0) | (codes >= 2 * _MORE)).any():
        raise ValueError(f'counts {shown(text)} of a mask are not compressed ones')
    ends = np.flatnonzero(codes & _MORE == 0)
    if len(codes) and (not len(ends) or ends[-1] != len(codes) - 1):
        raise ValueError(f'counts {shown(text)} of a mask are cut off')
    starts = np.append(0, ends[:-1] + 1)[: len(ends)]
    letters = ends - starts + 1
    if letters.max(initial=0) > _LONGEST:
        raise ValueError(f'counts {shown(text)} of a mask have a number of more than {_LONGEST} characters')
    shifts = _BITS * (np.arange(len(codes)) - np.repeat(starts, letters))
    values = np.add.reduceat((codes & (_MORE - 1)) << shifts, starts) if len(ends) else np.zeros(0, np.int64)
    values -= np.where(codes[ends] & (_MORE >> 1), np.int64(1) << (_BITS * letters), 0)
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return values


def counts_of(pixels: np.ndarray) -> np.ndarray:
    """The run lengths of a mask.

    Args:
        pixels: (height, width), true inside of the object.

    Returns:
        (n,) int64.
    """
    flat = np.asarray(pixels, bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(flat)]])
    counts = np.diff(edges)
    return np.append(0, counts) if flat[0] else counts


def pixels_of(counts: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask of run lengths whose sum is its number of pixels: (height, width) bool."""
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T

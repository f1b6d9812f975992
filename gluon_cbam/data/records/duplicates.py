"""Images that occur more than once in one or several record files, for instance in training and validation data."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

_REPORTED = 10  # groups that a report lists, and records of a group


def image_hash(image: bytes) -> bytes:
    """A hash of an encoded image, 8 bytes.

    Among a million different images, two have the same hash with a probability of 1 in 30 million.

    Args:
        image: the encoded image.

    Returns:
        The BLAKE2b hash.
    """
    return blake2b(image, digest_size=8).digest()


_EMPTY = np.frombuffer(image_hash(b''), '<u8')[0]


class Duplicates(NamedTuple):
    """Groups of images with the same hash; empty images are left out.

    Attributes:
        images: number of records with the image of an earlier record.
        groups: number of different images that occur more than once.
        across: number of groups with records in several files.
        other_label: number of groups with different first labels.
        first: the first groups, each a list of (file, index of the record).
    """

    images: int
    groups: int
    across: int
    other_label: int
    first: List[List[Tuple[str, int]]]


def find_duplicates(paths: Sequence[Path], hashes: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Duplicates:
    """Find equal images.

    Args:
        paths: paths of the files.
        hashes: (records,) uint64 of each file, see :func:`image_hash`.
        labels: (records,) float32 of each file, the first label of each record.

    Returns:
        Counts, and the first groups of equal images.
    """
    starts = np.cumsum([0] + [len(part) for part in hashes])
    joined = np.concatenate(hashes)
    if not len(joined):
        return Duplicates(0, 0, 0, 0, [])
    order = np.argsort(joined, kind='stable')
    joined = joined[order]
    begins = np.flatnonzero(np.concatenate([[True], joined[1:] != joined[:-1]]))
    counts = np.diff(np.append(begins, len(joined)))
    several = (counts > 1) & (joined[begins] != _EMPTY)
    files = np.searchsorted(starts, order, 'right') - 1
    across = _differ(files, begins)
    other_label = _differ(np.concatenate(labels)[order], begins)
    chosen = np.flatnonzero(several)
    chosen = chosen[np.argsort(order[begins[chosen]])][:_REPORTED]
    groups = [slice(begins[group], begins[group] + min(counts[group], _REPORTED)) for group in chosen]
    return Duplicates(
        images=int((counts[several] - 1).sum()),
        groups=int(several.sum()),
        across=int((across & several).sum()),
        other_label=int((other_label & several).sum()),
        first=[
            [(str(paths[file]), int(number - starts[file])) for file, number in zip(files[group], order[group])]
            for group in groups
        ],
    )


def repeats(hashes: np.ndarray) -> np.ndarray:
    """Find the images with the hash of an earlier one.

    Args:
        hashes: (records,) uint64, see :func:`image_hash`.

    Returns:
        (records,) bool.
    """
    order = np.argsort(hashes, kind='stable')
    repeated = np.zeros(len(hashes), bool)
    repeated[order[1:]] = hashes[order[1:]] == hashes[order[:-1]]
    return repeated


def _differ(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Whether a group has different values, for each group; ``begins`` are the first indices of the groups."""
    return np.minimum.reduceat(values, begins) != np.maximum.reduceat(values, begins)

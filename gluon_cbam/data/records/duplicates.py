"""Images that occur more than once, in a record file or in several: training images among the validation images."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

_REPORTED = 10  # groups in a report, and records of a group


def image_hash(image: bytes) -> bytes:
    """A hash of 8 bytes of an encoded image.

    Among a million different images, two have the same hash with a probability of 1 in 30 million.

    Args:
        image: the encoded image.
    """
    return blake2b(image, digest_size=8).digest()


_EMPTY = np.frombuffer(image_hash(b''), '<u8')[0]


class Duplicates(NamedTuple):
    """Images whose bytes have the same hash; empty ones do not count.

    Attributes:
        images: records that repeat an earlier one.
        groups: different images among them.
        across: groups in more than one file.
        other_label: groups whose first labels differ.
        first: the first groups, (file, number) of their records.
    """

    images: int
    groups: int
    across: int
    other_label: int
    first: List[List[Tuple[str, int]]]


def find_duplicates(paths: Sequence[Path], hashes: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Duplicates:
    """Find equal images.

    Args:
        paths: of the files.
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


def _differ(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Whether the values of each group are not all the same; ``begins`` are the first indices of the groups."""
    return np.minimum.reduceat(values, begins) != np.maximum.reduceat(values, begins)

"""Recognition of segmentation records, which hold a picture and, after it, its mask as a PNG.

The labels of such a record are six numbers: :data:`MARK`; the length of the mask in bytes, divided by 65536, and the
rest of that division; height and width of the picture in pixels; the largest class in the mask, -1 where it has none.
Readers that do not know of masks decode the picture, as image formats end before what follows them.
"""

from __future__ import annotations

import struct
from typing import List, Protocol, Tuple

import numpy as np

from gluon_cbam.common.files import PathLike

from .format import HEADER, MAGIC, PART

MARK = struct.unpack('<f', b'MASK')[0]
"""The first label: a whole number as float32, whose bytes spell MASK, so that no other label is taken for it."""
LABELS = 6
"""Number of labels of a record."""
_WORD = 1 << 16  # float32 has all whole numbers below 2 ** 24


class LabeledRecords(Protocol):
    """What is needed of an opened file: the first label of each record, and how many it has."""

    labels: np.ndarray
    label_counts: np.ndarray


def mask_labels(size: Tuple[int, int], length: int, largest: int) -> List[float]:
    """The labels of a record.

    Args:
        size: height and width of the picture in pixels.
        length: length of the encoded mask in bytes.
        largest: the largest class in the mask; -1 for none.
    """
    return [MARK, float(length // _WORD), float(length % _WORD), *map(float, size), float(largest)]


def mask_length(labels: np.ndarray) -> int:
    """The length of the mask of a record in bytes; 0 for a record without a mask.

    Args:
        labels: (n,) all labels of the record.
    """
    if len(labels) != LABELS or labels[0] != MARK:
        return 0
    high, low = labels[1:3].tolist()
    return int(high) * _WORD + int(low) if 0 <= high < _WORD and 0 <= low < _WORD else 0


def has_masks(records: LabeledRecords) -> bool:
    """Whether the first record of a file has a mask."""
    return bool(len(records.labels) and records.label_counts[0] == LABELS and records.labels[0] == MARK)


def file_has_masks(path: PathLike) -> bool:
    """Whether the first record of a file has a mask; the rest is not read.

    Args:
        path: path of the ``.rec`` file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, 'rb') as file:
        head = file.read(PART.size + HEADER.size + 4)
    if len(head) < PART.size + HEADER.size + 4 or PART.unpack_from(head)[0] != MAGIC:
        return False
    count, *_ = HEADER.unpack_from(head, PART.size)
    return bool(count == LABELS and struct.unpack_from('<f', head, PART.size + HEADER.size)[0] == MARK)

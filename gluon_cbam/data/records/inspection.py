"""Inspection of single records for a check: labels, pixels, sizes and hashes of their images."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import DarkImages, decode, image_size

from .duplicates import image_hash
from .faces import PROPERTY_FILE, Property
from .recordio import Record, read_record


class Inspected(NamedTuple):
    """The records of a chunk.

    Attributes:
        bad: (kind, index, reason) of the faults.
        hashes: (records,) uint64, or empty.
        dark: (index, bits) of dark images.
    """

    bad: List[Tuple[str, int, str]]
    hashes: np.ndarray
    dark: List[Tuple[int, int]]


def inspect_records(
    decoding: bool, hashing: bool, stated: Optional[Property], path: str, offsets: np.ndarray
) -> Inspected:
    """Inspect some records of a file.

    Args:
        decoding: whether to decode the images.
        hashing: whether to hash them.
        stated: what ``property`` states, whose size pictures must have; None where there is no such file.
        path: path of the file.
        offsets: (records,) where they begin.

    Returns:
        What was found.
    """
    bad: List[Tuple[str, int, str]] = []
    hashes: List[bytes] = []
    dark_images: List[Tuple[int, int]] = []
    with open(path, 'rb') as file:
        for index, offset in enumerate(offsets.tolist()):
            record = read_record(file.fileno(), offset)
            dark = DarkImages()
            bad += [(kind, index, reason) for kind, reason in _faults(record, decoding, stated, dark)]
            dark_images += [(index, dark.bits)] if dark.count else []
            if hashing:
                hashes.append(image_hash(record.image))
    return Inspected(bad, np.frombuffer(b''.join(hashes), '<u8'), dark_images)


def _faults(record: Record, decoding: bool, stated: Optional[Property], dark: DarkImages) -> Iterator[Tuple[str, str]]:
    """Kind and reason of the faults of a record beyond its header."""
    if len(record.labels) > 1 and not np.isfinite(record.labels[1:]).all():
        yield 'label', 'one of several labels is no finite number'
    if not record.image or not (decoding or stated):
        return
    try:
        size = decode(record.image, '', dark=dark).shape[:2] if decoding else image_size(record.image, '')
    except DataError as error:
        if decoding:
            yield 'image', str(error).partition(': ')[2]
        return
    if stated and size != stated.size:
        states = f'{PROPERTY_FILE} states {stated.height} x {stated.width}'
        yield 'size', f'{size[0]} x {size[1]} pixels (height x width), and {states}'

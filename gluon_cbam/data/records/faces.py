"""Records of faces as insightface's face2rec2.py writes them.

A header record has the id 0 and two labels (a, b), and its image is empty. The pictures have the ids 1 .. a - 1; their
label is the identity, a number or the first of two. The identity records have the ids a .. b - 1, two labels (first id,
end) and an empty image. The header follows the pictures in the file, or begins it. A file ``property`` in the same
folder has a line ``identities,height,width``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.limits import MAX_CLASSES, MAX_IMAGE_SIZE

from .format import HEADER, Headers, read_payload

PROPERTY_FILE = 'property'
_MOST_IDS = 1 << 40
_LABELS = struct.Struct('<ff')  # of the header and of an identity record


class Property(NamedTuple):
    """The file ``property`` of a folder.

    Attributes:
        identities: number of identities.
        height: height of the pictures, in pixels.
        width: width of the pictures, in pixels.
    """

    identities: int
    height: int
    width: int

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width."""
        return self.height, self.width


class WrongRange(NamedTuple):
    """An identity record whose pictures are wrong.

    Attributes:
        number: index of the record among all records of the file.
        offset: its offset in bytes.
        reason: the fault, for messages.
    """

    number: int
    offset: int
    reason: str


def find_pictures(headers: Headers, descriptor: int) -> Optional[np.ndarray]:
    """Find the pictures of a file of faces.

    Args:
        headers: the headers of all records of the file.
        descriptor: file descriptor of the open file; its position is not used.

    Returns:
        (records,) bool: False for the header and the identity records. None for a file without such a header.
    """
    found = _find_header(headers, descriptor)
    if found is None:
        return None
    header, end, _ = found
    pictures = ~(_without_image(headers) & (headers.ids >= end))
    pictures[header] = False
    return pictures


def _without_image(headers: Headers) -> np.ndarray:
    """Whether a record can be the header or an identity record: (records,) bool."""
    return headers.empty & (headers.counts == 2)


def _find_header(headers: Headers, descriptor: int) -> Optional[Tuple[int, float, float]]:
    """Number and the two labels of the header record; None in a file without one."""
    header = np.flatnonzero(_without_image(headers) & (headers.ids == 0))
    if len(header) != 1:
        return None
    end, stop = _pair(descriptor, int(headers.offsets[header[0]]))
    return (int(header[0]), end, stop) if 1 <= end < _MOST_IDS and end == np.floor(end) else None


def _pair(descriptor: int, offset: int) -> Tuple[float, float]:
    """The two labels of the header or of an identity record."""
    return _LABELS.unpack_from(read_payload(descriptor, offset), HEADER.size)


def wrong_ranges(headers: Headers, pictures: np.ndarray, descriptor: int) -> Iterator[WrongRange]:
    """Find identity records whose pictures lie outside the file.

    Args:
        headers: the headers of all records of the file.
        pictures: (records,) bool, see :func:`find_pictures`.
        descriptor: file descriptor of the open file; its position is not used.

    Yields:
        The identity records, in the order of the file.
    """
    found = _find_header(headers, descriptor)
    if found is None:
        return
    header, last = found[0], int(found[1]) - 1
    for number in np.flatnonzero(~pictures).tolist():
        offset = int(headers.offsets[number])
        first, end = _pair(descriptor, offset)
        whole = np.floor(first) == first and np.floor(end) == end
        if number != header and not (whole and 1 <= first <= end <= last + 1):
            reason = f'its pictures {first:.9g}..{end - 1:.9g} lie outside those of the file, 1..{last}'
            yield WrongRange(number, offset, f'identity record {int(headers.ids[number])}: {reason}')


def wrong_identities(headers: Headers, pictures: np.ndarray, descriptor: int) -> Iterator[WrongRange]:
    """Find what contradicts itself in a file of faces, beside :func:`wrong_ranges`.

    The header states how many pictures and identity records there are, and the pictures of an identity record have one
    label.

    Args:
        headers: the headers of all records of the file.
        pictures: (records,) bool, see :func:`find_pictures`.
        descriptor: file descriptor of the open file; its position is not used.

    Yields:
        The header, and identity records with pictures of several labels, in the order of the file.
    """
    found = _find_header(headers, descriptor)
    if found is None:
        return
    header, end, stop = found
    records = np.setdiff1d(np.flatnonzero(~pictures), [header])
    offset = int(headers.offsets[header])
    if stop - end != len(records):
        reason = f'it states {stop - end:.9g} identity records, and there are {len(records)}'
        yield WrongRange(header, offset, f'the header: {reason}')
    ids = headers.ids[pictures]
    order = np.argsort(ids, kind='stable')
    if len(ids) != end - 1 or not np.array_equal(ids[order], np.arange(1, int(end), dtype=np.uint64)):
        reason = f'it states pictures with the ids 1..{end - 1:.9g}, and those of {len(ids)} pictures are others'
        yield WrongRange(header, offset, f'the header: {reason}')
        return
    labels = headers.labels[pictures][order]
    changes = np.concatenate([[0, 0], np.cumsum(labels[1:] != labels[:-1])])  # up to each id
    for number in records.tolist():
        place = int(headers.offsets[number])
        first, last = _pair(descriptor, place)
        if 1 <= first < last <= end and changes[int(last) - 1] != changes[int(first)]:
            reason = f'its pictures {first:.9g}..{last - 1:.9g} have several labels'
            yield WrongRange(number, place, f'identity record {int(headers.ids[number])}: {reason}')


def read_property(folder: Path) -> Optional[int]:
    """Read the number of identities from the file ``property`` of a folder; see :func:`find_property`."""
    found = find_property(folder)
    return found.identities if found else None


def find_property(folder: Path) -> Optional[Property]:
    """Read the file ``property`` of a folder.

    Args:
        folder: the folder of the records.

    Returns:
        Its numbers; None if there is no such file.

    Raises:
        DataError: the file is not a line ``identities,height,width``.
    """
    path = folder / PROPERTY_FILE
    if not path.is_file():
        return None
    with open(path, 'rb') as file:
        line = file.read(80).split(b'\n')[0].strip()
    try:
        found = Property(*(int(part) for part in line.split(b',')))
    except (TypeError, ValueError):
        found = Property(0, 0, 0)
    if not (1 <= found.identities <= MAX_CLASSES and min(found[1:]) >= 1 and max(found[1:]) <= MAX_IMAGE_SIZE):
        raise DataError(f'{path}: not "identities,height,width" of insightface: {line!r}')
    return found

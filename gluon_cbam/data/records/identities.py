"""Identities of a file of faces: how many pictures each has, and what contradicts itself."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional

import numpy as np

from .faces import PROPERTY_FILE, wrong_identities, wrong_ranges
from .format import Headers
from .labels import are_classes


class IdentityFault(NamedTuple):
    """A record of a file of faces that contradicts another one, or the file ``property``.

    Attributes:
        kind: ``identity`` for the header and identity records, ``label`` for pictures.
        number: index of the record among all records of the file.
        offset: its offset in bytes.
        reason: the fault, for messages.
    """

    kind: str
    number: int
    offset: int
    reason: str


def pictures_of_identities(labels: np.ndarray) -> Optional[Dict[str, float]]:
    """Count the pictures of identities.

    Args:
        labels: (N,) float32, the identity of each picture.

    Returns:
        ``count`` of identities with pictures; ``min``, ``median`` and ``max`` number of pictures of one; ``single``,
        how many have one picture. None where a label is no class index.
    """
    if not len(labels) or not are_classes(labels).all():
        return None
    pictures = np.bincount(labels.astype(np.int64))
    pictures = pictures[pictures > 0]
    return {
        'count': len(pictures),
        'min': int(pictures.min()),
        'median': float(np.median(pictures)),
        'max': int(pictures.max()),
        'single': int((pictures == 1).sum()),
    }


def identity_faults(
    headers: Headers, pictures: Optional[np.ndarray], descriptor: int, stated: Optional[int]
) -> List[IdentityFault]:
    """Find what contradicts itself in a file of faces.

    Args:
        headers: the headers of all records of the file.
        pictures: (records,) bool, see :func:`.faces.find_pictures`.
        descriptor: file descriptor of the open file; its position is not used.
        stated: the number of identities that labels must be below; None if it is not known.

    Returns:
        The faults, in the order of the file.
    """
    found = list(_beyond(headers, pictures, stated)) if stated is not None else []
    if pictures is not None:
        for wrong in (*wrong_ranges(headers, pictures, descriptor), *wrong_identities(headers, pictures, descriptor)):
            found.append(IdentityFault('identity', *wrong))
    return sorted(found, key=lambda fault: fault.offset)


def _beyond(headers: Headers, pictures: Optional[np.ndarray], stated: int) -> Iterator[IdentityFault]:
    """The pictures whose label is not below the number of identities."""
    beyond = are_classes(headers.labels) & (headers.labels >= stated)
    for number in np.flatnonzero(beyond if pictures is None else beyond & pictures).tolist():
        reason = f'label {headers.labels[number]:.9g}, and {PROPERTY_FILE} states {stated} identities'
        yield IdentityFault('label', number, int(headers.offsets[number]), reason)

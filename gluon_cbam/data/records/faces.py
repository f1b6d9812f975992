"""Records of faces as insightface's face2rec2.py writes them.

A header record has the id 0 and two labels (a, b), and its image is empty. The pictures have the ids 1 .. a - 1; their
label is the identity, a number or the first of two. The identity records have the ids a .. b - 1, two labels (first id,
end) and an empty image. The header follows the pictures in the file, or begins it. A file ``property`` in the same
folder has a line ``identities,height,width``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Optional

import numpy as np

from gluon_cbam.common.errors import DataError

from .format import HEADER, Headers, read_payload


def find_pictures(headers: Headers, descriptor: int) -> Optional[np.ndarray]:
    """Find the pictures of a file of faces.

    Args:
        headers: the headers of all records of the file.
        descriptor: file descriptor of the open file; its position is not used.

    Returns:
        (records,) bool: False for the header and the identity records. None for a file without such a header.
    """
    others = headers.empty & (headers.counts == 2)
    header = np.flatnonzero(others & (headers.ids == 0))
    if len(header) != 1:
        return None
    (end,) = struct.unpack_from('<f', read_payload(descriptor, int(headers.offsets[header[0]])), HEADER.size)
    if not (end >= 1 and end == np.floor(end)):
        return None
    found = ~(others & (headers.ids >= end))
    found[header] = False
    return found


def read_property(folder: Path) -> Optional[int]:
    """Read the number of identities from the file ``property`` of a folder.

    Args:
        folder: the folder of the records.

    Returns:
        The number; None if there is no such file.

    Raises:
        DataError: the file is not a line ``identities,height,width``.
    """
    path = folder / 'property'
    if not path.is_file():
        return None
    line = path.read_bytes()[:80].split(b'\n')[0].strip()
    try:
        identities, _, _ = (int(part) for part in line.split(b','))
    except ValueError:
        identities = 0
    if identities < 1:
        raise DataError(f'{path}: not "identities,height,width" of insightface: {line!r}')
    return identities

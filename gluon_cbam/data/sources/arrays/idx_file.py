"""A file in the format IDX of MNIST: a magic number, the sizes of the axes, and the elements, all big-endian.

The magic number is two zero bytes, the type of the elements, and the number of axes. Source: Y. LeCun, C. Cortes and
C. J. C. Burges, "The MNIST database of handwritten digits", file formats.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gluon_cbam.common.damage import Damaged

from .contents import opened

_TYPES = {0x08: 'u1', 0x09: 'i1', 0x0B: '>i2', 0x0C: '>i4', 0x0D: '>f4', 0x0E: '>f8'}
_MOST_AXES = 4


def read_idx(path: Path) -> np.ndarray:
    """Read a file, gzipped or not.

    Args:
        path: path of the file. It is read into memory.

    Returns:
        The array, with elements of the file's type.

    Raises:
        DataError: it is no such file, holds fewer or more elements than it states, or is damaged.
        OSError: it cannot be read.
    """
    with opened(path, 'a damaged IDX file') as contents:
        magic = contents.take(4).tobytes()
        zeros, kind, axes = magic[:2], magic[2], magic[3]
        if zeros != b'\0\0' or kind not in _TYPES or not 1 <= axes <= _MOST_AXES:
            raise Damaged(f'it begins with {magic.hex(" ")}, and not with 00 00, a type of elements and 1 to 4 axes')
        shape = [int(size) for size in contents.take(4 * axes).view('>u4')]
        dtype = np.dtype(_TYPES[kind])
        values = contents.take(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
        contents.end()
    return values

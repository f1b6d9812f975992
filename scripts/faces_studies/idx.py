"""IDX files, the format of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist), compressed by gzip."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from gluon_cbam.common.damage import Damaged, reading

_UINT8 = 8  # the type of the values, the third byte
_MOST_VALUES = 1 << 28


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read an array of bytes.

    Args:
        path: path of the file.
        axes: the number of axes that it must have.

    Returns:
        uint8.

    Raises:
        DataError: the file is damaged, of another type, or has another number of axes or of values than it states.
    """
    with reading(path, 'not an IDX file'), gzip.open(path, 'rb') as file:
        zeros, kind, found, *sizes = struct.unpack(f'>HBB{axes}I', file.read(4 + 4 * axes))
        if (zeros, kind, found) != (0, _UINT8, axes):
            raise Damaged(f'it begins with {zeros}, {kind}, {found}, not with 0, {_UINT8}, {axes}')
        count = 1
        for size in sizes:
            count *= size
        if count > _MOST_VALUES:
            raise Damaged(f'it states {" x ".join(map(str, sizes))} values, more than {_MOST_VALUES}')
        content = file.read(count + 1)
        if len(content) != count:
            more = 'more' if len(content) > count else len(content)
            raise Damaged(f'it states {" x ".join(map(str, sizes))} values and has {more}')
    return np.frombuffer(content, np.uint8).reshape(sizes)

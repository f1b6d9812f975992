"""Check the structure of a file in which MXNet saved arrays, before MXNet loads it.

The format has no checksum, and MXNet allocates the size that a header states before it compares it with the length of
the file: a damaged file can exhaust the memory of the machine. Only the headers are read here, in pure Python.

A file is the magic number, a reserved word, the number of arrays, the arrays, the number of names, and the names, each
after its length; all of these are uint64, little endian. An array is (int32 but for the dimensions):

=======  =================================================================================
version  header
=======  =================================================================================
0        number of axes, dimensions (uint32)
1        magic number, number of axes, dimensions (int64)
2        magic number, storage type, number of axes, dimensions (int64)
3        as 2, with numpy semantics: a shape without axes is that of a scalar
=======  =================================================================================

and then, in each version, the kind and number of the device, the type of the elements, and the elements.
"""

from __future__ import annotations

import math
import os
import struct
from typing import IO, NamedTuple, Tuple

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.quoting import shown

_MAGIC = 0x112
MAGIC = _MAGIC.to_bytes(8, 'little')
"""How a file begins."""
_DENSE = 0
_SIZES = {0: 4, 1: 8, 2: 2, 3: 1, 4: 4, 5: 1, 6: 8, 7: 1}  # bytes of float32, 64, 16, uint8, int32, int8, int64, bool
_DEVICES = (1, 2, 3, 5)  # cpu, gpu, pinned and shared memory
_MOST_AXES = 32


class _Version(NamedTuple):
    """The header of an array after its first word."""

    has_storage: bool = False
    dimension: str = 'q'
    least_axes: int = 1


_VERSIONS = {0xF993FAC8: _Version(), 0xF993FAC9: _Version(True), 0xF993FACA: _Version(True, least_axes=0)}
_NUMPY = _VERSIONS[0xF993FACA]
_OLDEST = _Version(dimension='I')  # its first word is the number of axes, not a magic number


def check(path: PathLike) -> bool:
    """Check that a file is complete, holds dense arrays by name, and is not shorter than its headers state.

    Args:
        path: the path of the file, which exists.

    Returns:
        Whether the arrays have numpy semantics: MXNet loads those only within ``mxnet.util.np_shape(True)``.

    Raises:
        DataError: the file is damaged, of another format, or holds arrays without names.
    """
    with reading(path, 'not a parameter file that MXNet reads'), open(path, 'rb') as file:
        return _Headers(file, os.path.getsize(path)).check()


class _Headers:
    """Reads the headers of a file in turn.

    Args:
        file: the open file, at its beginning.
        size: the size of the file, in bytes.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def check(self) -> bool:
        """Check the file; see :func:`check`."""
        magic, _, arrays = self._numbers('QQQ', 'its header')
        if magic != _MAGIC:
            raise Damaged('it begins with something else')
        kinds = {self._array(f'array {number}') for number in range(arrays)}
        (names,) = self._numbers('Q', 'the number of names')
        if names == 0:
            raise Damaged('a list of arrays without names')
        if names != arrays:
            raise Damaged(f'{names} names for {arrays} arrays')
        if len({self._name(f'name {number}') for number in range(names)}) < names:
            raise Damaged('a name is given twice')
        if self._left:
            raise Damaged(f'{self._left} bytes follow its end')
        if len(kinds) > 1:
            raise Damaged('arrays with MXNet and with numpy semantics together')
        return kinds.pop()

    def _array(self, what: str) -> bool:
        """Check an array and skip its elements; returns whether it has numpy semantics."""
        (first,) = self._numbers('I', what)
        version = _VERSIONS.get(first, _OLDEST)
        if version.has_storage and self._numbers('i', what) != (_DENSE,):
            raise Damaged(f'{what} is sparse or of no known storage')
        (axes,) = (first,) if version is _OLDEST else self._numbers('i', what)
        if not version.least_axes <= axes <= _MOST_AXES:
            raise Damaged(f'{what} claims {axes} axes')
        shape = self._numbers(f'{axes}{version.dimension}', what) if axes else ()
        device, _, kind = self._numbers('iii', what)
        if device not in _DEVICES or kind not in _SIZES:
            raise Damaged(f'{what} is on a device or of a type that MXNet does not know ({device}, {kind})')
        # without numpy semantics, MXNet takes 0 for an unknown size, and reads no more of the array
        if any(size < (version is not _NUMPY) for size in shape):
            raise Damaged(f'{what} claims the shape {shown(shape)}')
        self._skip(math.prod(shape) * _SIZES[kind], f'{what} of shape {shown(shape)}')
        return version is _NUMPY

    def _name(self, what: str) -> bytes:
        (length,) = self._numbers('Q', what)
        return self._read(length, what)

    def _numbers(self, layout: str, what: str) -> Tuple[int, ...]:
        layout = f'<{layout}'
        return struct.unpack(layout, self._read(struct.calcsize(layout), what))

    def _read(self, count: int, what: str) -> bytes:
        self._take(count, what)
        return self._file.read(count)

    def _skip(self, count: int, what: str) -> None:
        self._take(count, what)
        self._file.seek(count, os.SEEK_CUR)

    def _take(self, count: int, what: str) -> None:
        """Account for bytes that are read or skipped."""
        if count > self._left:
            raise Damaged(f'it ends within {what}: {count} bytes are needed, {self._left} are left')
        self._left -= count

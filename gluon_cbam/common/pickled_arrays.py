"""Arrays of integers and booleans in pickles, see :mod:`.pickles`: numpy makes them of their bytes, no code runs."""

from __future__ import annotations

import math
from typing import Any, Dict

import numpy as np

from .damage import Damaged
from .pickles import Instance
from .quoting import shown

_BYTES_OF_TYPE = {'b1': 1, **{f'{kind}{size}': size for kind in 'iu' for size in (1, 2, 4, 8)}}
_TYPES = {'bool': 'b1', '?': 'b1', 'B': 'u1', 'uint8': 'u1', **{code: code for code in _BYTES_OF_TYPE}}
_BYTES = ('bytes', 'bytearray')


class _Type(Instance):
    """A ``numpy.dtype`` of integers or booleans."""

    def __init__(self, name: Any, *_: Any) -> None:
        code = _TYPES.get(name.lstrip('|<>=')) if isinstance(name, str) else None
        if code is None:
            raise Damaged(f'an array of the type {shown(name)}, not of bytes, booleans or integers')
        self.code, self.order = code, '>' if name.startswith('>') else '<'

    def set_state(self, state: Any) -> None:
        """Take the byte order of numpy's state: version, byte order, and what plain types have not."""
        if state[1] in ('<', '>'):
            self.order = state[1]


class PickledArray(Instance):
    """A ``numpy.ndarray`` or a scalar of numpy, of integers or booleans.

    Attributes:
        values: the bytes of the elements: bytes, or a text of Python 2.
        code: the type of the elements: ``b1`` for booleans, else ``i`` or ``u`` and the number of bytes.
        count: the number of elements.
        shape: the shape that the pickle states, which may be anything.
    """

    def __init__(self) -> None:
        self.values: Any = b''
        self.code, self.count = 'u1', 0
        self.shape: Any = (0,)
        self._byte_order, self._fortran = '<', False

    @property
    def flat(self) -> bool:
        """Whether the shape is that of a row or column."""
        # cv2.imencode of older OpenCV gives columns, (n, 1)
        return isinstance(self.shape, tuple) and self.shape in ((self.count,), (self.count, 1), (1, self.count))

    def fill(self, values: Any, kind: Any, shape: Any, fortran: Any = False) -> PickledArray:
        """Take the elements.

        Args:
            values: their bytes.
            kind: what stands for their ``numpy.dtype``.
            shape: the shape.
            fortran: whether the first axis is the fastest, or ``F`` for it.

        Raises:
            Damaged: they are none.
        """
        if not isinstance(values, (str, bytes, bytearray)) or not isinstance(kind, _Type):
            raise Damaged('a damaged array')
        self.count, rest = divmod(len(values), _BYTES_OF_TYPE[kind.code])
        if rest:
            raise Damaged('a damaged array')
        self.values, self.code, self._byte_order, self.shape = values, kind.code, kind.order, shape
        self._fortran = fortran in (True, 'F')
        return self

    def set_state(self, state: Any) -> None:
        """Take the state of numpy: version, shape, type, whether in Fortran's order, elements."""
        *_, shape, kind, fortran, values = state
        self.fill(values, kind, shape, fortran)

    def elements(self) -> np.ndarray:
        """The elements in the order of their bytes.

        Returns:
            (``count``,) integers; booleans are bytes, of which numpy would take 2 as true.
        """
        values = self.values.encode('latin-1') if isinstance(self.values, str) else self.values
        return np.frombuffer(values, self._byte_order + self.code.replace('b', 'u'))

    def array(self) -> np.ndarray:
        """The array in its shape.

        Returns:
            Integers.

        Raises:
            Damaged: the elements do not fill the shape.
        """
        if not isinstance(self.shape, tuple) or not all(type(size) is int and size >= 0 for size in self.shape):
            raise Damaged(f'an array of the shape {shown(self.shape)}')
        if math.prod(self.shape) != self.count:
            raise Damaged(f'{self.count} elements for an array of the shape {shown(self.shape)}')
        return self.elements().reshape(self.shape, order='F' if self._fortran else 'C')


def array_globals(budget: int) -> Dict[str, Any]:
    """What stands for the functions that a pickle of arrays and bytes may name, for :func:`.pickles.load`.

    Args:
        budget: the bytes that the pickle can make of texts.

    Returns:
        The globals; arrays and scalars of numpy become :class:`PickledArray`.
    """
    left = [budget]

    def encoded(value: Any = b'', encoding: str = 'latin-1') -> bytes:
        if not isinstance(value, (str, bytes, bytearray)) or encoding not in ('latin-1', 'latin1'):
            raise Damaged(f'bytes of {shown(value)} in {shown(encoding)}')
        left[0] -= len(value)
        if left[0] < 0:
            raise Damaged(f'texts that expand to more than {budget} bytes, twice the size of the file')
        return value.encode('latin-1') if isinstance(value, str) else bytes(value)

    known: Dict[str, Any] = {'numpy ndarray': None, 'numpy dtype': _Type, '_codecs encode': encoded}
    known.update({f'{module} {name}': encoded for module in ('builtins', '__builtin__') for name in _BYTES})
    for core in ('numpy.core', 'numpy._core'):
        known[f'{core}.multiarray _reconstruct'] = lambda *_: PickledArray()
        known[f'{core}.multiarray scalar'] = lambda kind, value: PickledArray().fill(value, kind, (1,))
        known[f'{core}.numeric _frombuffer'] = lambda values, kind, shape, order='C', *_: PickledArray().fill(
            values, kind, shape, order
        )
    return known

"""Parameters of operators that contain numbers of numpy.

mxnet hands a parameter to its library as ``str(value)``. For a tuple or list, ``str`` writes the ``repr`` of each item,
which for a number of numpy is ``3`` in numpy 1 and ``np.int64(3)`` in numpy 2. The library refuses that: "Invalid
Parameter format for axis expect Shape(tuple)". ``x.sum(axis=(numpy.int64(0),))`` and ``x[numpy.int64(2)] = 3`` failed.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

MODULES = (
    'mxnet._ctypes.ndarray',
    'mxnet._ctypes.symbol',
    'mxnet.io.io',
    'mxnet.kvstore.base',
    'mxnet.profiler',
    'mxnet.symbol.symbol',
)
"""The modules of mxnet that call ``str`` on parameters."""


class _Number:
    """A number of numpy whose ``repr`` is its text, as in numpy 1."""

    def __init__(self, number: Any) -> None:
        self._text = str(number)

    def __repr__(self) -> str:
        return self._text


def _printable(value: Any) -> Any:
    """A value whose text is what it was in numpy 1."""
    import numpy

    if type(value) in (tuple, list):
        return type(value)(_printable(item) for item in value)
    if isinstance(value, (numpy.str_, numpy.bytes_)):
        return value.item()
    return _Number(value) if isinstance(value, numpy.generic) else value


class _LikeStr(type):
    """Makes ``isinstance(value, str)`` in mxnet's modules true for the strings of everybody else."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, str)


class Text(str, metaclass=_LikeStr):
    """Takes the place of ``str`` in a module: the same type, but for numbers of numpy inside tuples and lists."""

    def __new__(cls, *args: Any) -> str:  # type: ignore[misc]
        """The text of a value, of type ``str``."""
        if args and type(args[0]) in (tuple, list):
            return str(_printable(args[0]))
        return str(*args)


@contextmanager
def written_as_by_numpy_1(module: ModuleType) -> Iterator[None]:
    """Let a module write parameters as with numpy 1; nothing is changed with numpy 1.

    Args:
        module: one of :data:`MODULES`.
    """
    yield
    import numpy

    if int(numpy.__version__.split('.')[0]) >= 2:
        module.str = Text  # type: ignore[attr-defined]

"""NumPy arrays of a length that is not known in advance, in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt  # NumPy 1.17 has none


class GrowingArray:
    """A flat array to which pieces are appended.

    Args:
        dtype: type of the numbers.
    """

    def __init__(self, dtype: npt.DTypeLike):
        self._dtype = np.dtype(dtype)
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes) // self._dtype.itemsize

    def append(self, part: np.ndarray) -> None:
        """Add a piece, (n, ...); it is stored flat."""
        self._bytes += part.astype(self._dtype, copy=False).tobytes()

    def joined(self) -> np.ndarray:
        """All numbers, flat: (n,). Nothing can be appended while the result is in use."""
        return np.frombuffer(self._bytes, self._dtype)


def count_repeated(values: np.ndarray) -> int:
    """The number of values that are equal to an earlier one.

    Args:
        values: (n,), in any order.
    """
    ordered = np.sort(values)
    return int((ordered[1:] == ordered[:-1]).sum())

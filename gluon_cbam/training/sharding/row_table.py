"""Rows of all shards in the order of classes, in bounded pieces, as checkpoints hold them."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.training.distributed.process_group import ProcessGroup

_PIECE = 1 << 22  # values that travel at once


class RowTable:
    """An array whose rows lie on the devices of all processes.

    Attributes:
        shape: the shape of the whole, (rows, width).
        dtype: the type of the values.

    Args:
        arrays: the rows of each device of this process, (n, width).
        first: the number of the first row of each.
        rows: the rows of all processes.
        process_group: the processes.
    """

    def __init__(
        self, arrays: Sequence[mx.nd.NDArray], first: Sequence[int], rows: int, process_group: ProcessGroup
    ) -> None:
        self._arrays, self._first, self._group = arrays, first, process_group
        self.shape: Tuple[int, int] = rows, arrays[0].shape[1]
        self.dtype = np.dtype(arrays[0].dtype)

    def pieces(self) -> Iterator[np.ndarray]:
        """The rows in their order, (n, width); every process must take all pieces, and gets the same."""
        rows, width = self.shape
        step = min(rows, max(1, _PIECE // width))
        for begin in range(0, rows, step):
            # pieces are of one size, since a store keeps an array per size
            piece = np.zeros((step, width), self.dtype)
            for array, mine, there in self._overlaps(begin, min(begin + step, rows)):
                piece[there] = array[mine].asnumpy()
            whole = self._group.add(f'rows{step}x{width}', mx.nd.array(piece, dtype=self.dtype))
            yield whole.asnumpy()[: min(step, rows - begin)]

    def restore(self, rows: np.ndarray) -> None:
        """Set the rows of this process.

        Args:
            rows: the whole, of :attr:`shape`; it may be mapped from a file.
        """
        step = max(1, _PIECE // self.shape[1])
        for begin in range(0, self.shape[0], step):
            for array, mine, there in self._overlaps(begin, min(begin + step, self.shape[0])):
                array[mine] = np.ascontiguousarray(rows[begin : begin + step][there])

    def _overlaps(self, begin: int, end: int) -> Iterator[Tuple[mx.nd.NDArray, slice, slice]]:
        """The arrays with rows in a range: array, its rows, and their places in the range."""
        for array, first in zip(self._arrays, self._first):
            low, high = max(begin, first), min(end, first + len(array))
            if low < high:
                yield array, slice(low - first, high - first), slice(low - begin, high - begin)

"""Sums and gatherings over all devices of all processes, queued on the devices."""

from __future__ import annotations

from typing import List, Sequence

import mxnet as mx

from gluon_cbam.training.distributed.process_group import ProcessGroup

Arrays = Sequence[mx.nd.NDArray]
"""An array on each device of this process, of the same shape on all of them."""


class Exchange:
    """Exchanges arrays between all devices of all processes.

    Every process calls the same methods in the same order, with arrays of the same shapes for the same name. Within a
    process arrays keep their type; between processes they are float32.

    Args:
        ctx: the devices of this process.
        process_group: the processes that train together.
    """

    def __init__(self, ctx: List[mx.Context], process_group: ProcessGroup) -> None:
        self._ctx, self._group = ctx, process_group

    def gather(self, name: str, arrays: Arrays) -> List[mx.nd.NDArray]:
        """Concatenate the rows of all devices, in the order of ranks and devices.

        Args:
            name: the name of the exchange.
            arrays: (n, ...).

        Returns:
            (shards * n, ...) on each device.
        """
        mine = mx.nd.concat(*self._on_first(arrays), dim=0)
        return self._everywhere(self._gather_processes(name, mine))

    def sum(self, name: str, arrays: Arrays) -> List[mx.nd.NDArray]:
        """The sum over all devices, on each device; see :meth:`gather`."""
        return self._everywhere(self._total(name, arrays))

    def scatter_sum(self, name: str, arrays: Arrays) -> List[mx.nd.NDArray]:
        """The rows of the sum over all devices that belong to each device.

        Args:
            name: the name of the exchange.
            arrays: (shards * n, ...).

        Returns:
            (n, ...) on each device: the inverse of :meth:`gather` after the sum.
        """
        total = self._total(name, arrays)
        return [total[self.rows(device, len(total))].as_in_context(context) for device, context in enumerate(self._ctx)]

    def rows(self, device: int, count: int) -> slice:
        """The rows of a gathered array that come from a device of this process.

        Args:
            device: the number of the device in this process.
            count: rows of the gathered array.
        """
        each = count // (len(self._ctx) * self._group.size)
        first = (self._group.rank * len(self._ctx) + device) * each
        return slice(first, first + each)

    def _total(self, name: str, arrays: Arrays) -> mx.nd.NDArray:
        mine = arrays[0] if len(arrays) == 1 else mx.nd.add_n(*self._on_first(arrays))
        return self._group.add(name, mine)

    def _gather_processes(self, name: str, mine: mx.nd.NDArray) -> mx.nd.NDArray:
        """The rows of all processes: each adds zeros to the rows of the others, which changes no bit of a number."""
        size, rank = self._group.size, self._group.rank
        if size == 1:
            return mine
        before, after = (
            [mx.nd.zeros((len(mine) * count, *mine.shape[1:]), mine.context, mine.dtype)] if count else []
            for count in (rank, size - 1 - rank)
        )
        return self._group.add(name, mx.nd.concat(*before, mine, *after, dim=0))

    def _on_first(self, arrays: Arrays) -> List[mx.nd.NDArray]:
        return [array.as_in_context(self._ctx[0]) for array in arrays]

    def _everywhere(self, array: mx.nd.NDArray) -> List[mx.nd.NDArray]:
        return [array.as_in_context(context) for context in self._ctx]

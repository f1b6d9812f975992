"""Collective operations of several processes, made from sums of float32 arrays."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, EnvironmentProblem

from .process_group import ProcessGroup

_GATHERED = 1 << 14  # values per process that are gathered at once
AGREEMENT_DELAY = 4  # in steps: as many as are queued on the devices anyway


class CollectiveGroup(ProcessGroup):
    """One of several processes; a subclass implements :meth:`add`, or :meth:`_all_reduce` if it has no such sum."""

    def __init__(self, kv_store: str):
        super().__init__(kv_store)
        self._reported: List[bool] = []
        self._agreements: Deque[mx.nd.NDArray] = deque()

    def _all_reduce(self, name: str, array: np.ndarray) -> mx.nd.NDArray:
        """Queue the sum of a float32 array over all processes. All processes call it in the same order.

        Args:
            name: the name of the array; arrays of the same name have the same shape.
            array: the array of this process.
        """
        return self.add(name, mx.nd.array(array))

    def add(self, name: str, array: mx.nd.NDArray) -> mx.nd.NDArray:
        """See :meth:`ProcessGroup.add`."""
        raise NotImplementedError

    def _all_gather(self, values: np.ndarray) -> np.ndarray:
        """The values of each process, (size, ...) float64.

        Stores add in float32. Each process therefore has a row of its own, in pieces of 16 bits: integers to which the
        others add zeros, so that every bit is kept.
        """
        values = np.ascontiguousarray(values, np.float64)
        pieces = np.zeros((self.size, values.size * 4), np.float32)
        pieces[self.rank] = values.reshape(-1).view(np.uint16)
        gathered = self._all_reduce(f'gather{values.size}', pieces).asnumpy()
        return gathered.astype(np.uint16).view(np.float64).reshape(self.size, *values.shape)

    def gather(self, values: np.ndarray) -> List[np.ndarray]:
        """See :meth:`ProcessGroup.gather`. It sends pieces of one size, since a store keeps an array per size."""
        values = np.asarray(values, np.float64)
        sizes = self._all_gather(np.array([values.size])).astype(int)[:, 0]
        pieces = -(-int(sizes.max()) // _GATHERED)
        padded = np.zeros(pieces * _GATHERED)
        padded[: values.size] = values.ravel()
        gathered = [self._all_gather(piece) for piece in padded.reshape(pieces, _GATHERED)]
        rows = np.concatenate([np.empty((self.size, 0)), *gathered], axis=1)
        return [row[:size].reshape(-1, *values.shape[1:]) for row, size in zip(rows, sizes)]

    def sum(self, values: np.ndarray) -> np.ndarray:
        """See :meth:`ProcessGroup.sum`."""
        return self._all_gather(values).sum(axis=0)

    def mean(self, arrays: List[np.ndarray]) -> List[np.ndarray]:
        """See :meth:`ProcessGroup.mean`."""
        if not arrays:
            return []
        flat = np.concatenate([np.ravel(array) for array in arrays]).astype(np.float32)
        total = self._all_reduce('mean', flat).asnumpy() / self.size
        ends = np.cumsum([array.size for array in arrays])[:-1]
        return [part.reshape(array.shape) for part, array in zip(np.split(total, ends), arrays)]

    def agree(self, flags: Sequence[bool]) -> List[bool]:
        """See :meth:`ProcessGroup.agree`."""
        self._agreements.append(self._all_reduce('agree', self._newly_set(flags)))
        if len(self._agreements) <= AGREEMENT_DELAY:
            return [False] * len(flags)
        agreed = [bool(flag) for flag in self._agreements.popleft().asnumpy()]
        self._reported = [reported and not flag for reported, flag in zip(self._reported, agreed)]
        return agreed

    def _newly_set(self, flags: Sequence[bool]) -> np.ndarray:
        """The flags that were not set before."""
        reported, self._reported = self._reported or [False] * len(flags), list(flags)
        return np.array([new and not old for new, old in zip(flags, reported)], np.float32)

    def leave(self) -> None:
        """See :meth:`ProcessGroup.leave`."""
        self._all_gather(np.zeros(1)).sum()

    def _check_consistent(self, step: int) -> None:
        """Check that the processes have different ranks and continue from the same step."""
        ranks, steps = self._all_gather(np.array([self.rank, step])).astype(int).T.tolist()
        if sorted(ranks) != list(range(self.size)):
            raise EnvironmentProblem(f'the workers have the ranks {sorted(ranks)}: is DMLC_WORKER_ID set twice?')
        if len(set(steps)) > 1:
            raise DataError(
                f'the workers found states of the steps {steps}: --output must be a folder that all of them share'
            )

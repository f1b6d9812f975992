"""What several processes do together, by summing float32 arrays."""

from __future__ import annotations

from collections import deque
from typing import List, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, EnvironmentProblem

from .base import ProcessGroup

AGREED_LATER = 4  # steps: as many as wait for the devices anyway


class CollectiveGroup(ProcessGroup):
    """One of several processes; a subclass says how they add arrays."""

    def __init__(self, kv_store: str):
        super().__init__(kv_store)
        self._told = []
        self._agreements: deque = deque()

    def _reduced(self, name: str, array: np.ndarray) -> mx.nd.NDArray:
        """The sum over all processes of a float32 array, not waited for. Each calls it in the same order.

        Args:
            name: arrays of one name have one shape.
        """
        raise NotImplementedError

    def _gather(self, values: np.ndarray) -> np.ndarray:
        """(size, ...) float64: the values of each process.

        Stores add in float32. So each process has a row of its own, in pieces of 16 bits: whole numbers to which the
        others add zeros, so that every bit arrives.
        """
        values = np.ascontiguousarray(values, np.float64)
        pieces = np.zeros((self.size, values.size * 4), np.float32)
        pieces[self.rank] = values.reshape(-1).view(np.uint16)
        gathered = self._reduced(f'gather{values.size}', pieces).asnumpy()
        return gathered.astype(np.uint16).view(np.float64).reshape(self.size, *values.shape)

    def sum(self, values: np.ndarray) -> np.ndarray:
        return self._gather(values).sum(axis=0)

    def mean(self, arrays: List[np.ndarray]) -> List[np.ndarray]:
        if not arrays:
            return []
        flat = np.concatenate([np.ravel(array) for array in arrays]).astype(np.float32)
        total = self._reduced('mean', flat).asnumpy() / self.size
        ends = np.cumsum([array.size for array in arrays])[:-1]
        return [part.reshape(array.shape) for part, array in zip(np.split(total, ends), arrays)]

    def agree(self, flags: Sequence[bool]) -> List[bool]:
        self._agreements.append(self._reduced('agree', self._news(flags)))
        if len(self._agreements) <= AGREED_LATER:
            return [False] * len(flags)
        agreed = [bool(flag) for flag in self._agreements.popleft().asnumpy()]
        self._told = [told and not flag for told, flag in zip(self._told, agreed)]
        return agreed

    def _news(self, flags: Sequence[bool]) -> np.ndarray:
        """The flags that were not set before."""
        told, self._told = self._told or [False] * len(flags), list(flags)
        return np.array([new and not old for new, old in zip(flags, told)], np.float32)

    def leave(self) -> None:
        self._gather(np.zeros(1)).sum()

    def _check_alike(self, step: int) -> None:
        """The processes have different numbers, and continue from one step."""
        ranks, steps = self._gather(np.array([self.rank, step])).astype(int).T
        if sorted(ranks) != list(range(self.size)):
            raise EnvironmentProblem(f'the workers have the numbers {sorted(ranks)}: is DMLC_WORKER_ID set twice?')
        if len(set(steps)) > 1:
            raise DataError(
                f'the workers found states of the steps {list(steps)}: --output must be a folder that all of them see'
            )

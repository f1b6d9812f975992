"""Processes of Horovod, an all-reduce without servers; ``horovodrun`` starts them."""

from __future__ import annotations

import os
from itertools import cycle
from types import ModuleType
from typing import Any, List, Optional

import mxnet as mx

from gluon_cbam.common.errors import DependencyError, UsageError

from .collective import AGREEMENT_DELAY, CollectiveGroup

_RANKS = ('HOROVOD_RANK', 'OMPI_COMM_WORLD_RANK', 'PMI_RANK')  # what horovodrun or mpirun sets


class HorovodGroup(CollectiveGroup):
    """Every step waits for the gradients of all processes, as with ``dist_sync``.

    Args:
        kv_store: ``horovod``.

    Raises:
        DependencyError: Horovod is not installed.
        UsageError: the process was not started by ``horovodrun`` or ``mpirun``.
    """

    def __init__(self, kv_store: str):
        super().__init__(kv_store)
        try:
            import horovod.mxnet as hvd
        except ImportError as error:
            raise DependencyError(
                f'--kv-store horovod: {error}; build it with HOROVOD_WITH_MXNET=1 HOROVOD_WITH_GLOO=1 pip install '
                '--no-build-isolation horovod==0.28.1, or use cbam launch and dist_sync'
            ) from error
        if not any(name in os.environ for name in _RANKS):
            raise UsageError('--kv-store horovod: start it with horovodrun --gloo -np WORKERS cbam train ...')
        hvd.init()
        self._turns = cycle(range(2 * AGREEMENT_DELAY))
        self._hvd, self.rank, self.size = hvd, hvd.rank(), hvd.size()

    def kvstore(self, ctx: List[mx.Context]) -> mx.kv.KVStoreBase:
        """See :meth:`ProcessGroup.kvstore`."""
        return _Store(self._hvd)

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        """See :meth:`ProcessGroup.start`."""
        self._check_consistent(step)
        trainer._init_kvstore()
        trainer._init_params()
        mx.nd.waitall()

    def add(self, name: str, array: mx.nd.NDArray) -> mx.nd.NDArray:
        """See :meth:`ProcessGroup.add`."""
        # Horovod refuses a name whose sum is still queued
        return self._hvd.allreduce(array, average=False, name=f'{name}.{next(self._turns)}')


class _Store(mx.kv.KVStoreBase):
    """Horovod as a kvstore of ``gluon.Trainer``, which mxnet 1.9.1 does not have."""

    type = 'horovod'

    def __init__(self, hvd: ModuleType):
        self._hvd: Any = hvd

    @property
    def rank(self) -> int:
        """Number of this process."""
        return self._hvd.rank()

    @property
    def num_workers(self) -> int:
        """How many processes there are."""
        return self._hvd.size()

    def is_capable(self, capability: str) -> bool:
        """Whether it can update weights as well; it cannot."""
        return False

    def broadcast(self, key: int, value: mx.nd.NDArray, out: List[mx.nd.NDArray], priority: int = 0) -> None:
        """Set the arrays of all devices of all processes to the value of process 0."""
        first = self._hvd.broadcast(value, root_rank=0, name=f'parameter{key}', priority=priority)
        for array in out:
            first.copyto(array)

    def pushpull(
        self, key: int, value: List[mx.nd.NDArray], out: Optional[List[mx.nd.NDArray]] = None, priority: int = 0
    ) -> None:
        """Set the arrays of all devices of all processes to the sum of their values."""
        total = value[0] if len(value) == 1 else mx.nd.add_n(*(v.as_in_context(value[0].context) for v in value))
        total = self._hvd.allreduce(total, average=False, name=f'gradient{key}', priority=priority)
        for array in value if out is None else out:
            total.copyto(array)

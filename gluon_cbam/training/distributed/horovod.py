"""Workers of Horovod, an all-reduce without servers, for those who have it; ``horovodrun`` starts them."""

from __future__ import annotations

import os
from itertools import cycle
from typing import List

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DependencyError, UsageError

from .collective import AGREED_LATER, CollectiveGroup

_RANKS = ('HOROVOD_RANK', 'OMPI_COMM_WORLD_RANK', 'PMI_RANK')  # what horovodrun or mpirun sets


class HorovodGroup(CollectiveGroup):
    """Every step waits for the gradients of all workers, as with ``dist_sync``."""

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
        self._turns = cycle(range(2 * AGREED_LATER))
        self._hvd, self.rank, self.size = hvd, hvd.rank(), hvd.size()

    def kvstore(self, ctx: List[mx.Context]) -> mx.kv.KVStoreBase:
        return _Store(self._hvd)

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        self._check_alike(step)
        trainer._init_kvstore()
        trainer._init_params()
        mx.nd.waitall()

    def _reduced(self, name: str, array: np.ndarray) -> mx.nd.NDArray:
        # Horovod refuses a name that is still under way
        return self._hvd.allreduce(mx.nd.array(array), average=False, name=f'{name}.{next(self._turns)}')


class _Store(mx.kv.KVStoreBase):
    """Horovod as ``gluon.Trainer`` takes a store; mxnet 1.9.1 has none."""

    type = 'horovod'

    def __init__(self, hvd):
        self._hvd = hvd

    rank = property(lambda self: self._hvd.rank())
    num_workers = property(lambda self: self._hvd.size())

    def is_capable(self, capability: str) -> bool:
        """It adds gradients and updates nothing."""
        return False

    def broadcast(self, key, value, out, priority=0):
        """Give all devices of all workers the value of worker 0."""
        first = self._hvd.broadcast(value, root_rank=0, name=f'parameter{key}', priority=priority)
        for array in out:
            first.copyto(array)

    def pushpull(self, key, value, out=None, priority=0):
        """Give all devices of all workers the sum of their values."""
        total = value[0] if len(value) == 1 else mx.nd.add_n(*(v.as_in_context(value[0].context) for v in value))
        total = self._hvd.allreduce(total, average=False, name=f'gradient{key}', priority=priority)
        for array in value if out is None else out:
            total.copyto(array)

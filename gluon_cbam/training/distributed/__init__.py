"""The processes that train one network together: :func:`join` chooses how they add their gradients.

``cbam launch`` starts a parameter server's processes, ``horovodrun`` those of Horovod; both run the same command.
"""

from __future__ import annotations

import os
from typing import Callable, Dict

from gluon_cbam.common.errors import UsageError
from gluon_cbam.compat.renamed import renamed_attributes

from .base import ProcessGroup
from .horovod import HorovodGroup
from .parameter_server import AsynchronousGroup, SynchronousGroup

__all__ = ['ProcessGroup', 'join']

__getattr__ = renamed_attributes(__name__, {'Workers': 'training.distributed.ProcessGroup'})

# --kv-store -> the processes; :data:`gluon_cbam.training.config.train_config.KV_STORES` has the same names
_ENGINES: Dict[str, Callable[[str], ProcessGroup]] = {
    'local': ProcessGroup,
    'device': ProcessGroup,
    'nccl': ProcessGroup,
    'dist_sync': SynchronousGroup,
    'dist_device_sync': SynchronousGroup,
    'dist_async': AsynchronousGroup,
    'horovod': HorovodGroup,
}


def join(kv_store: str) -> ProcessGroup:
    """Connect this process with the others.

    Args:
        kv_store: name of the store.

    Raises:
        UsageError: the process was not started as this store needs it.
        EnvironmentProblem: the others do not answer.
    """
    engine = _ENGINES[kv_store]
    if engine is ProcessGroup and os.environ.get('DMLC_NUM_WORKER', '1') != '1':
        raise UsageError(
            f'--kv-store {kv_store} would train {os.environ["DMLC_NUM_WORKER"]} networks beside each other under cbam '
            'launch: use dist_sync'
        )
    return engine(kv_store)

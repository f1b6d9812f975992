"""The process group for each value of ``--kv-store``."""

from __future__ import annotations

import os
from typing import Callable, Dict

from gluon_cbam.common.errors import UsageError

from .horovod import HorovodGroup
from .parameter_server import AsynchronousGroup, SynchronousGroup
from .process_group import ProcessGroup

# --kv-store -> process group; :data:`gluon_cbam.training.config.train_config.KV_STORES` has the same names
_GROUPS: Dict[str, Callable[[str], ProcessGroup]] = {
    'local': ProcessGroup,
    'device': ProcessGroup,
    'nccl': ProcessGroup,
    'dist_sync': SynchronousGroup,
    'dist_device_sync': SynchronousGroup,
    'dist_async': AsynchronousGroup,
    'horovod': HorovodGroup,
}


def join(kv_store: str) -> ProcessGroup:
    """Connect this process with the others that train the same network.

    Args:
        kv_store: name of the store, a key of the table above; ``local``, ``device`` and ``nccl`` for a single process.

    Returns:
        The process group.

    Raises:
        UsageError: the process was not started as the store needs it.
        EnvironmentProblem: the scheduler does not answer.
        DependencyError: Horovod is not installed.
    """
    group = _GROUPS[kv_store]
    if group is ProcessGroup and os.environ.get('DMLC_NUM_WORKER', '1') != '1':
        raise UsageError(
            f'--kv-store {kv_store} would train {os.environ["DMLC_NUM_WORKER"]} separate networks under cbam launch: '
            'use dist_sync'
        )
    return group(kv_store)

"""The CPUs of this process, and how many OpenMP threads mxnet gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Collection

_CPUS = Path('/sys/devices/system/cpu')


def _usable() -> Collection[int]:
    """The numbers of the CPUs in this process' affinity."""
    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else range(os.cpu_count() or 1)


def usable_cpus() -> int:
    """The CPUs that this process may use."""
    return len(_usable())


def physical_cores() -> int:
    """The physical cores that this process may run on: its CPU affinity, with hyper-threads counted once."""
    cores = set()
    for cpu in _usable():
        try:
            cores.add((_CPUS / f'cpu{cpu}' / 'topology' / 'thread_siblings_list').read_text())
        except OSError:  # no topology in this container: count every CPU
            cores.add(str(cpu))
    return max(1, len(cores))


def set_default() -> None:
    """Set ``OMP_NUM_THREADS`` unless the user chose a number of threads.

    mxnet takes half the CPUs it sees, on the assumption of two hyper-threads a core. Where there are none, that halves
    its speed (measured: ResNet-50, 2 cores, 352 against 180 ms).
    """
    if 'MXNET_OMP_MAX_THREADS' not in os.environ:
        os.environ.setdefault('OMP_NUM_THREADS', str(physical_cores()))

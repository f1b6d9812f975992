"""The CPUs of this process, and the number of OpenMP threads of mxnet."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Collection, Iterator

_CPUS = Path('/sys/devices/system/cpu')
# libgomp's default number of iterations before a waiting thread sleeps; the policy makes it 1000 instead of 100 in a
# process that has more threads in its teams than there are CPUs
_WAITING = {'OMP_WAIT_POLICY': 'active', 'GOMP_SPINCOUNT': '300000'}


def _usable() -> Collection[int]:
    """The numbers of the CPUs in the affinity mask of this process."""
    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else range(os.cpu_count() or 1)


def usable_cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(_usable())


def physical_cores() -> int:
    """The number of physical cores that this process may use; hyper-threads of a core count once."""
    cores = set()
    for cpu in _usable():
        try:
            cores.add((_CPUS / f'cpu{cpu}' / 'topology' / 'thread_siblings_list').read_text(encoding='ascii'))
        except OSError:  # no topology in this container: count every CPU
            cores.add(str(cpu))
    return max(1, len(cores))


def set_default() -> None:
    """Set the threads of mxnet, unless the user did.

    ``OMP_NUM_THREADS`` becomes the number of physical cores. By default, mxnet uses half of the CPUs that it detects,
    on the assumption that each core has two hyper-threads. Without hyper-threads, this halves its speed (measured:
    ResNet-50, 2 cores, 352 instead of 180 ms).

    ``MXNET_CPU_PARALLEL_SIZE``, the size from which arrays are copied by several threads, becomes larger than any. The
    copy from numpy runs in the thread that calls it, which then has a team of threads besides that of the operators;
    libgomp counts more threads than CPUs, and lets both teams sleep instead of wait (measured: a single image of
    CBAM-ResNet-50 takes 40 instead of 20 ms from the first such copy on, and a training step is 5% longer).
    """
    if 'MXNET_OMP_MAX_THREADS' not in os.environ:
        os.environ.setdefault('OMP_NUM_THREADS', str(physical_cores()))
    os.environ.setdefault('MXNET_CPU_PARALLEL_SIZE', str(2**31 - 1))


@contextmanager
def waiting_policy() -> Iterator[None]:
    """Let libgomp, if the block loads it, wait in the same way whether one or several threads of a process have a team.

    Once a second thread has run a parallel region, there are more threads in teams than CPUs, and they sleep almost at
    once: a single image of CBAM-ResNet-50 took 110 instead of 70 ms on two cores, and with these variables 66 to 92.
    They are set only for the block, since the threads of other OpenMP libraries never sleep with this policy.
    """
    if any(name in os.environ for name in _WAITING):
        yield
        return
    os.environ.update(_WAITING)
    try:
        yield
    finally:
        for name in _WAITING:
            os.environ.pop(name, None)

"""Distributed training: starts a scheduler, servers and workers, supervises them, and terminates all at the end.

They form a job of ps-lite, MXNet's parameter server. A process reads its role from ``DMLC_*`` variables; ps-lite itself
hangs forever when one of them dies. The modules:

* :mod:`.hosts`: the hosts file, and the host of each process;
* :mod:`.plan`: the processes and their variables;
* :mod:`.supervisor`: runs a process on its host, forwards signals, and terminates it when the launcher has died;
* :mod:`.start`: starts a supervisor, locally or over ssh (:mod:`.ssh`);
* :mod:`.log_forwarding`: the output of the processes, line by line;
* :mod:`.job`: the job as a whole: stops it on a signal, terminates all processes when one dies.

The program of a scheduler or server is :mod:`gluon_cbam.training.distributed.server_node`.

May import ``common`` and ``compat``. Nothing here imports mxnet; the package itself imports only the ssh command, so
that the command line starts fast.
"""

import platform
import signal
from typing import Any, Sequence

from gluon_cbam.common.errors import EnvironmentProblem

from .ssh import SSH

__all__ = ['SSH', 'launch']


def launch(members: Sequence[Any], command: Sequence[str], *arguments: Any, **options: Any) -> float:
    """Run a command in several processes: see :func:`gluon_cbam.launch.job.launch`.

    Args:
        members: the processes, see :func:`.plan.plan`.
        command: the command of the workers.
        *arguments: further positional arguments of :func:`.job.launch`.
        **options: further keyword arguments of :func:`.job.launch`.

    Returns:
        Duration in seconds.

    Raises:
        EnvironmentProblem: this system has not the signals of POSIX.
        CbamError: see :func:`gluon_cbam.launch.job.launch`.
    """
    if not hasattr(signal, 'SIGHUP'):
        raise EnvironmentProblem(f'jobs need the signals of POSIX, which {platform.system()} lacks: train without them')
    from .job import launch as run

    return run(members, command, *arguments, **options)

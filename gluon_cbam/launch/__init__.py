"""Training on several machines: starts a scheduler, servers and workers, supervises them, and leaves no process behind.

The processes are those of ps-lite, MXNet's parameter server, which reads its role from ``DMLC_*`` variables and hangs
for ever when one of them dies. The modules:

* :mod:`.hosts`: the machines, and which of them runs what;
* :mod:`.plan`: the processes and their variables;
* :mod:`.supervisor`: runs each process on its machine, forwards signals, and ends it when the launcher has died;
* :mod:`.start`: starts a supervisor, here or over ssh (:mod:`.ssh`);
* :mod:`.log_forwarding`: the output of the processes, line by line;
* :mod:`.job`: waits, stops, and ends all processes when one dies;
* :mod:`.ps_lite_node`: a scheduler or server.

May import ``common`` and ``compat``. Nothing here imports mxnet, except the program of a scheduler or server; the
package itself imports only the ssh command, so that the command line starts fast.
"""

from typing import Any, Sequence

from .ssh import SSH

__all__ = ['SSH', 'launch']


def launch(members: Sequence[Any], command: Sequence[str], *arguments: Any, **options: Any) -> float:
    """Run a command in several processes: see :func:`gluon_cbam.launch.job.launch`.

    Args:
        members: the processes, see :func:`.plan.plan`.
        command: of the workers.
        *arguments: further ones of that function.
        **options: likewise, by name.

    Returns:
        Duration in seconds.
    """
    from .job import launch as run

    return run(members, command, *arguments, **options)

"""Training on several machines: starts a scheduler, servers and workers, watches them, and leaves nobody behind.

The processes are those of ps-lite, MXNet's parameter server, which knows its place from ``DMLC_*`` variables and hangs
for ever when one of them dies. Hence the parts:

* :mod:`.hosts`: which machine runs what;
* :mod:`.plan`: the processes and their variables;
* :mod:`.guard`: beside each process, on its machine: passes signals on, and ends it when the launcher is gone;
* :mod:`.start`: starts a guard, here or over ssh;
* :mod:`.relay`: what the processes say, line by line;
* :mod:`.job`: waits, stops, and ends all when one dies;
* :mod:`.role`: a scheduler or server.

Nothing here imports mxnet, and the package itself nothing at all, so that the command line starts fast.
"""

__all__ = ['SSH', 'launch']

SSH = 'ssh -o BatchMode=yes -o ServerAliveInterval=10'
"""The command that reaches other machines."""


def launch(members, command, *arguments, **options):
    """Run a command in several processes: see :func:`gluon_cbam.launch.job.launch`."""
    from .job import launch as run

    return run(members, command, *arguments, **options)

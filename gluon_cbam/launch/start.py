"""Starts the processes of a job, each under a supervisor, locally or over ssh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Dict, Sequence

from gluon_cbam.common.signing import TOKEN

from .plan import Member
from .ssh import remote_line

SUPERVISOR = 'gluon_cbam.launch.supervisor'
"""The module that supervises a process."""
NODE_COMMAND = (sys.executable, '-m', 'gluon_cbam.training.distributed.server_node')
"""The command of a scheduler or server, which no module here imports."""
# prefixes of the environment variables that are passed on to other machines, in addition to the variables of --env
_EXPORTED = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'CUDA_', 'NCCL_', 'PYTHON', 'LD_LIBRARY_PATH', 'PATH')


def start(member: Member, command: Sequence[str], ssh: Sequence[str], grace: float) -> subprocess.Popen:
    """Start a process of a job.

    Args:
        member: the process.
        command: what it runs.
        ssh: the command that connects to another machine.
        grace: seconds between SIGTERM and SIGKILL when the launcher has died.

    Returns:
        The process of the supervisor, or of its ssh client. Its standard input takes names of signals, see
        :mod:`.supervisor`. It has its own session, so that Ctrl-C on a terminal reaches the launcher only.
    """
    supervised = [sys.executable, '-m', SUPERVISOR, '--share', str(member.share), '--grace', f'{grace:g}']
    if not member.host.is_here:
        supervised += ['--token']
    supervised += ['--', *command]
    if not member.host.is_here:
        supervised = [*ssh, member.host.name, remote_line(supervised, os.getcwd(), _exported(member))]
    process = subprocess.Popen(
        supervised,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **member.environment},
        start_new_session=True,
    )
    if not member.host.is_here:
        _write(process, member.environment.get(TOKEN, ''))
    return process


def _exported(member: Member) -> Dict[str, str]:
    """The variables on a command line of ssh, which everyone on both machines can read: without the token."""
    own = {name: value for name, value in os.environ.items() if name.startswith(_EXPORTED)}
    return {name: value for name, value in {**own, **member.environment}.items() if name != TOKEN}


def send(process: subprocess.Popen, signum: int) -> None:
    """Ask a supervisor to send a signal to its command; does nothing if the supervisor has ended.

    Args:
        process: the process that :func:`start` returned.
        signum: number of the signal.
    """
    _write(process, signal.Signals(signum).name)


def _write(process: subprocess.Popen, line: str) -> None:
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # ValueError if another thread has closed the stream
        process.stdin.write(f'{line}\n'.encode())
        process.stdin.flush()


def wait(process: subprocess.Popen) -> int:
    """Wait for a supervisor to end, then kill its process group: a killed supervisor leaves its command running.

    The group is killed before the supervisor is reaped: until then, no other process can have the same id.

    Args:
        process: the process that :func:`start` returned.

    Returns:
        The exit code; 128 + the signal number if a signal killed the supervisor.
    """
    assert process.stdin is not None
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):  # it still holds signals that were not read
        process.stdin.close()
    code = process.wait()
    return code if code >= 0 else 128 - code

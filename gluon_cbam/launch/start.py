"""Starts the processes of a job, each under a supervisor, here or over ssh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Dict, Sequence

from .plan import Member
from .ssh import remote_line

SUPERVISOR = 'gluon_cbam.launch.supervisor'
NODE_COMMAND = (sys.executable, '-m', 'gluon_cbam.launch.ps_lite_node')
"""The command of a scheduler or server."""
# variables of this machine that processes on another machine need, in addition to those given with --env
_EXPORTED = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'CUDA_', 'NCCL_', 'PYTHON', 'LD_LIBRARY_PATH', 'PATH')


def start(member: Member, command: Sequence[str], ssh: Sequence[str], grace: float) -> subprocess.Popen:
    """Start a process of a job.

    Args:
        member: the process.
        command: what it runs.
        ssh: the command that reaches other machines.
        grace: seconds between SIGTERM and SIGKILL when the launcher has died.

    Returns:
        The supervisor's process, or that of ssh: standard input takes names of signals, see :mod:`.supervisor`. It is
        in a session of its own, so that Ctrl-C on a terminal reaches the launcher alone.
    """
    supervised = [sys.executable, '-m', SUPERVISOR, '--share', str(member.share), '--grace', f'{grace:g}']
    supervised += ['--', *command]
    if not member.host.is_here:
        supervised = [*ssh, member.host.name, remote_line(supervised, os.getcwd(), _exported(member))]
    return subprocess.Popen(
        supervised,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **member.environment},
        start_new_session=True,
    )


def _exported(member: Member) -> Dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name.startswith(_EXPORTED)}
    return {**own, **member.environment}


def send(process: subprocess.Popen, signum: int) -> None:
    """Ask a supervisor to send a signal to its command; nothing happens if it has ended.

    Args:
        process: of :func:`start`.
        signum: number of the signal.
    """
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # the latter if another thread has closed it
        process.stdin.write(f'{signal.Signals(signum).name}\n'.encode())
        process.stdin.flush()


def wait(process: subprocess.Popen) -> int:
    """Wait for a supervisor, and kill the processes that it could not kill if it was itself killed.

    Its process id stays taken until it is reaped, so that the process group is surely its own.

    Args:
        process: of :func:`start`.

    Returns:
        The exit code; 128 + the number of the signal for a supervisor that a signal killed.
    """
    assert process.stdin is not None
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):  # signals that were never read
        process.stdin.close()
    code = process.wait()
    return code if code >= 0 else 128 - code

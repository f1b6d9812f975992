"""Starts the processes of a job, each under a guard, here or over ssh."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Dict, List, Mapping, Sequence

from .plan import Member

GUARD = 'gluon_cbam.launch.guard'
ROLE = (sys.executable, '-m', 'gluon_cbam.launch.role')
# what another machine needs of this one's environment, besides what is said with --env
_CARRIED = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'CUDA_', 'NCCL_', 'PYTHON', 'LD_LIBRARY_PATH', 'PATH')


def start(member: Member, command: Sequence[str], ssh: Sequence[str], grace: float) -> subprocess.Popen:
    """Start a process of a job.

    Args:
        member: which.
        command: what it runs.
        ssh: the command that reaches other machines.
        grace: seconds between SIGTERM and SIGKILL when the launcher is gone.

    Returns:
        The guard's process, or that of ssh: standard input takes names of signals, as :mod:`.guard` says. It has a
        session of its own, so that Ctrl-C on a terminal reaches the launcher alone.
    """
    guarded = [sys.executable, '-m', GUARD, '--share', str(member.share), '--grace', f'{grace:g}', '--', *command]
    if not member.host.is_here:
        guarded = [*ssh, member.host.name, remote_line(guarded, os.getcwd(), _carried(member))]
    return subprocess.Popen(
        guarded,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **member.environment},
        start_new_session=True,
    )


def remote_line(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> str:
    """The line for another machine's shell that runs a command in a folder with an environment."""
    variables = [f'{name}={value}' for name, value in sorted(environment.items())]
    words: List[str] = ['env', *variables, *command]
    return f'cd {shlex.quote(folder)} && exec {" ".join(map(shlex.quote, words))}'


def _carried(member: Member) -> Dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if name.startswith(_CARRIED)}
    return {**mine, **member.environment}


def send(process: subprocess.Popen, number: int) -> None:
    """Ask a guard to send a signal; nothing happens where it has ended."""
    with suppress(OSError, ValueError):  # the latter where another thread has closed it
        process.stdin.write(f'{signal.Signals(number).name}\n'.encode())
        process.stdin.flush()


def wait(process: subprocess.Popen) -> int:
    """Wait for a guard, and kill what it could not kill if it was itself killed; returns its exit code.

    Its number stays taken until it is reaped, so that the group is surely its own.
    """
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):  # what was written in vain
        process.stdin.close()
    code = process.wait()
    return code if code >= 0 else 128 - code

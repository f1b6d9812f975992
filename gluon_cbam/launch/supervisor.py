"""Runs a command, and terminates it when the launcher has died.

``python -m gluon_cbam.launch.supervisor [--share N] [--grace SECONDS] [--token] -- COMMAND...``

Standard input is the connection to the launcher, also through ssh. With ``--token``, its first line is the token of the
job, which no command line shows. A line with the name of a signal sends that signal to the command. The end of the
input means that the launcher died or the connection broke: the command gets SIGTERM, then SIGKILL. When the command has
ended, the processes that it left running are killed. The exit code is the command's, or 128 + the signal number if a
signal killed it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import List, Optional

from gluon_cbam.common.signing import TOKEN
from gluon_cbam.compat.threads import physical_cores

from .plan import address_towards

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
_NOT_STARTED = 127  # the exit code of a shell for a command that it cannot start
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main(arguments: List[str]) -> int:
    """Run the command.

    Args:
        arguments: command-line arguments, without the program's name.

    Returns:
        The exit code of the command; 127 if it cannot be started, 128 + the signal number if a signal killed it.
    """
    options = _parse(arguments)
    if options.token:
        os.environ[TOKEN] = _read_line()
    _complete_environment(options.share)
    try:
        command = _start(options.command)
    except OSError as error:
        print(f'cbam: {options.command[0]}: {error.strerror}', file=sys.stderr, flush=True)
        return _NOT_STARTED

    def forward(signum: int, frame: Optional[FrameType]) -> None:
        command.send_signal(signum)

    for signum in _FORWARDED:
        signal.signal(signum, forward)
    threading.Thread(target=_send_requested_signals, args=(command, options.grace), daemon=True).start()
    code = command.wait()
    _kill_children()
    return code if code >= 0 else 128 - code


def _parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='gluon_cbam.launch.supervisor')
    parser.add_argument('--share', type=int, default=1)
    parser.add_argument('--grace', type=float, default=5)
    parser.add_argument('--token', action='store_true')
    parser.add_argument('command', nargs='+')
    return parser.parse_args(arguments)


def _read_line() -> str:
    """A line of standard input, without reading further: what follows are names of signals."""
    line = b''
    while not line.endswith(b'\n'):
        received = os.read(sys.stdin.fileno(), 1)
        if not received:
            break
        line += received
    return line.decode().strip()


def _start(command: List[str]) -> subprocess.Popen:
    """Start the command; the kernel kills it when this process dies, and this process adopts its orphans."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = os.getpid()

    def die_with_supervisor() -> None:
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(_NOT_STARTED)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_supervisor,  # noqa: PLW1509 (there are no threads yet)
    )


def _complete_environment(share: int) -> None:
    """Set the variables that depend on this machine: the number of threads, and its address for the other processes.

    By default, ps-lite takes the address of the first network interface, which the other hosts may not reach.
    """
    if 'MXNET_OMP_MAX_THREADS' not in os.environ:
        os.environ.setdefault('OMP_NUM_THREADS', str(max(1, physical_cores() // share)))
    scheduler = os.environ.get('DMLC_PS_ROOT_URI')
    if scheduler and 'DMLC_NODE_HOST' not in os.environ:
        try:
            os.environ['DMLC_NODE_HOST'] = address_towards(scheduler)
        except OSError as error:
            print(f'cbam: no way to the scheduler at {scheduler}: {error}', file=sys.stderr, flush=True)


def _send_requested_signals(command: subprocess.Popen, grace: float) -> None:
    """Read names of signals from standard input and send them to the command; terminate it at the end of the input."""
    pending = b''
    while True:
        received = os.read(sys.stdin.fileno(), 4096)
        if not received:
            break
        *names, pending = (pending + received).split(b'\n')
        for name in names:
            command.send_signal(signal.Signals[name.decode()])
    command.send_signal(signal.SIGTERM)
    time.sleep(grace)
    command.kill()


def _kill_children() -> None:
    """Kill the children of this process, then the orphans that it adopts from them, until none is left."""
    while True:
        children = _children()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        if not children:
            return


def _children() -> List[int]:
    """Process ids of the children. ``/proc/PID/task/TID/children`` needs an option that not every kernel has."""
    found = []
    for folder in Path('/proc').iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / 'stat').read_text(errors='replace').rpartition(')')[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(folder.name))
    return found


if __name__ == '__main__':
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # the thread that reads standard input would block an ordinary exit

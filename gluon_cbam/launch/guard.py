"""Runs a command, and ends it when the launcher is gone.

``python -m gluon_cbam.launch.guard [--share N] [--grace SECONDS] -- COMMAND...``

Standard input is the line to the launcher, through ssh as well: a line that holds a signal's name sends that signal to
the command; the end of it means that the launcher died or the connection broke, and the command gets SIGTERM, then
SIGKILL. When the command has ended, whatever it left running is killed. The exit code is the command's, or 128 + the
number of the signal it died of.
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
from typing import List

from gluon_cbam.compat.threads import physical_cores

from .plan import address_towards

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
_NOT_STARTED = 127  # as a shell says it
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main(arguments: List[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog='gluon_cbam.launch.guard')
    parser.add_argument('--share', type=int, default=1)
    parser.add_argument('--grace', type=float, default=5)
    parser.add_argument('command', nargs='+')
    options = parser.parse_args(arguments)
    _complete_environment(options.share)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # so that orphans of the command come here, to be killed
    guard = os.getpid()

    def die_with_guard():
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(_NOT_STARTED)

    try:
        command = subprocess.Popen(
            options.command,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_guard,  # noqa: PLW1509 (there are no threads yet)
        )
    except OSError as error:
        print(f'cbam: {options.command[0]}: {error.strerror}', file=sys.stderr, flush=True)
        return _NOT_STARTED
    for number in _FORWARDED:
        signal.signal(number, lambda number, frame: command.send_signal(number))
    threading.Thread(target=_obey, args=(command, options.grace), daemon=True).start()
    code = command.wait()
    _kill_children()
    return code if code >= 0 else 128 - code


def _complete_environment(share: int) -> None:
    """Set what only this machine knows: its share of the cores, and its address towards the scheduler.

    ps-lite would take the address of the first network interface, which may be one that the others do not reach.
    """
    if 'MXNET_OMP_MAX_THREADS' not in os.environ:
        os.environ.setdefault('OMP_NUM_THREADS', str(max(1, physical_cores() // share)))
    scheduler = os.environ.get('DMLC_PS_ROOT_URI')
    if scheduler and 'DMLC_NODE_HOST' not in os.environ:
        try:
            os.environ['DMLC_NODE_HOST'] = address_towards(scheduler)
        except OSError as error:
            print(f'cbam: no way to the scheduler at {scheduler}: {error}', file=sys.stderr, flush=True)


def _obey(command: subprocess.Popen, grace: float) -> None:
    """Send the signals whose names come in; end the command at the end of input."""
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
    """Kill the children of this process, and those that they leave to it."""
    while True:
        children = _children()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        if not children:
            return


def _children() -> List[int]:
    """The children of this process; the kernel's own list needs an option that not every kernel has."""
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
    os._exit(status)  # the thread that reads standard input would hold up an ordinary exit

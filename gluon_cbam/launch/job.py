"""A job from its start to its end: whoever dies takes all others along."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from gluon_cbam.common.errors import Interrupted, MemberFailed, UsageError

from . import SSH
from .plan import Member
from .relay import Relay
from .start import ROLE, send, start, wait

# a signal to the launcher -> what the workers get: they know how to stop after these
_STOPS = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
_STOP_PATIENCE = 300.0  # seconds for a step and a checkpoint
_FOLLOW_PATIENCE = 60.0  # seconds for the others when the first worker has stopped
_LEAVE_PATIENCE = 10.0  # seconds for the workers when a server has ended well
_OUTPUT_PATIENCE = 5.0  # seconds for the last lines
_SIGNAL_PATIENCE = 0.5  # the kernel may give a signal to another thread, which does not wake the one that handles it
_SSH_FAILED = 255


class _Event(NamedTuple):
    """What happened: a signal came, or a process ended."""

    signum: Optional[int] = None
    member: Optional[Member] = None
    code: int = 0


def launch(
    members: Sequence[Member],
    command: Sequence[str],
    results: Callable[[bytes], None],
    ssh: str = SSH,
    grace: float = 5.0,
    role_command: Sequence[str] = ROLE,
) -> float:
    """Run a command in every worker, with a scheduler and servers.

    SIGINT and SIGTERM are passed to the workers, which stop after a step with a checkpoint; a second one ends all at
    once. SIGUSR1 is passed on too. When a process dies, all others are ended. It takes the signals of the process, so
    that it needs the main thread.

    Args:
        members: of :func:`.plan.plan`.
        command: of the workers.
        results: takes the lines of worker 0's standard output; everything else goes to standard error.
        ssh: the command that reaches other machines.
        grace: seconds between SIGTERM and SIGKILL.
        role_command: of the scheduler and the servers.

    Returns:
        Seconds that it took.

    Raises:
        UsageError: there is no such command.
        Interrupted: a signal stopped the workers.
        MemberFailed: a process died.
    """
    ssh_words = shlex.split(ssh)
    if any(member.host.is_here for member in members if member.role == 'worker') and not shutil.which(command[0]):
        raise UsageError(f'no command {command[0]!r}: write it after --, as in cbam launch -n 2 -- cbam train ...')
    if any(not member.host.is_here for member in members) and not (ssh_words and shutil.which(ssh_words[0])):
        raise UsageError(f'--ssh {ssh!r}: no such command')
    began = time.time()
    job = _Job(Relay(results, sys.stderr.buffer), ssh_words, grace)
    with job.taking_signals():
        try:
            for member in members:
                job.start(member, command if member.role == 'worker' else role_command)
            job.watch()
        finally:
            job.end()
    return time.time() - began


class _Job:
    """The running processes and what happens to them."""

    def __init__(self, relay: Relay, ssh: Sequence[str], grace: float):
        self._relay, self._ssh, self._grace = relay, ssh, grace
        self._running: Dict[Member, subprocess.Popen] = {}
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._is_done = False

    @contextmanager
    def taking_signals(self):
        """Turn signals into events."""

        def note(number, frame):
            self._events.put(_Event(signum=number))

        before = {number: signal.signal(number, note) for number in (*_STOPS, signal.SIGUSR1)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, member: Member, command: Sequence[str]) -> None:
        """Start a process; its end will be an event."""
        process = start(member, command, self._ssh, self._grace)
        self._running[member] = process
        copying = self._relay.follow(member, process)

        def await_end():
            code = wait(process)
            for thread in copying:
                thread.join(_OUTPUT_PATIENCE)
            self._events.put(_Event(member=member, code=code))

        threading.Thread(target=await_end, daemon=True).start()

    def watch(self) -> None:
        """Wait until all workers have ended; raises what :func:`launch` raises."""
        stopped = deadline = gone = None
        while self._workers():
            event = self._next(deadline)
            if event is None and stopped is None:
                raise _failure(gone)
            if event is None:
                late = ', '.join(map(str, self._workers()))
                raise Interrupted(f'{_name(stopped)}: {late} did not stop in time, the others did', stopped)
            if event.signum == signal.SIGUSR1:
                self._send(self._workers(), event.signum)
            elif event.signum is not None and stopped is None:
                stopped, deadline = event.signum, time.monotonic() + _STOP_PATIENCE
                self._send(self._workers(), _STOPS[event.signum])
            elif event.signum is not None:
                raise Interrupted(f'a second {_name(event.signum)}: all processes were ended at once', event.signum)
            elif event.member.role == 'worker' and event.code - 128 in _STOPS:
                stopped, deadline = stopped or event.code - 128, time.monotonic() + _FOLLOW_PATIENCE
            elif event.code != 0:
                raise _failure(event)
            elif event.member.role != 'worker' and stopped is None:  # the last worker told it to, and ends as well
                gone, deadline = event, time.monotonic() + _LEAVE_PATIENCE
        if stopped is not None:
            raise Interrupted(f'{_name(stopped)}: all workers stopped; continue with --resume auto', stopped)
        self._is_done = True

    def end(self) -> None:
        """End what still runs: workers first; servers and scheduler then end by themselves if all went well."""
        self._send(self._workers(), signal.SIGTERM)
        self._drain(self._workers, self._grace)
        self._drain(self._all, self._grace if self._is_done else 0)
        self._send(self._all(), signal.SIGKILL)
        self._drain(self._all, self._grace)
        for process in self._running.values():  # a connection that hangs
            process.kill()
        self._drain(self._all, self._grace)

    def _all(self) -> List[Member]:
        return list(self._running)

    def _workers(self) -> List[Member]:
        return [member for member in self._running if member.role == 'worker']

    def _send(self, members: Sequence[Member], number: int) -> None:
        for member in members:
            send(self._running[member], number)

    def _drain(self, who: Callable[[], List[Member]], seconds: float) -> None:
        """Wait until none of them is left, for so many seconds at most."""
        deadline = time.monotonic() + seconds
        while who() and self._next(deadline) is not None:
            pass

    def _next(self, deadline: Optional[float]) -> Optional[_Event]:
        """The next event; None when the time is over."""
        while True:
            left = float('inf') if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                event = self._events.get(timeout=min(left, _SIGNAL_PATIENCE))
            except Empty:
                if left == 0:
                    return None
                continue
            if event.member is not None:
                del self._running[event.member]
            return event


def _failure(event: _Event) -> MemberFailed:
    member, code = event.member, event.code
    how = f'ended with exit code {code}'
    if code > 128 and code - 128 in set(signal.Signals):
        how = f'was killed by {_name(code - 128)}'
    elif code == _SSH_FAILED and not member.host.is_here:
        how += ' (the connection failed, or it crashed)'
    elif code == 0:
        how = 'ended before the workers'
    return MemberFailed(
        f'{member} on {member.host.name} {how}; all others were ended: continue with --resume auto',
        code if member.role == 'worker' and code in range(1, 6) else 1,
    )


def _name(signum: int) -> str:
    return signal.Signals(signum).name

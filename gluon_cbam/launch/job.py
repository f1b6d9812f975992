"""Running a job: when one process dies, all others are terminated."""

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
from types import FrameType
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

from gluon_cbam.common.errors import CbamError, Interrupted, MemberFailed, UsageError

from .log_forwarding import LogForwarder
from .plan import Member
from .ssh import SSH
from .start import NODE_COMMAND, send, start, wait

# signal received by the launcher -> signal sent to the workers, which then write a checkpoint and stop
_STOPS: Dict[int, int] = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
# timeouts in seconds
_STOP_TIMEOUT = 300.0  # for a step and a checkpoint
_OTHERS_TIMEOUT = 60.0  # for the other workers when the first one has stopped
_WORKERS_TIMEOUT = 10.0  # for the workers when a server has ended without an error
_OUTPUT_TIMEOUT = 5.0  # for the last lines
_POLL_INTERVAL = 0.5  # the kernel may deliver a signal to another thread, which does not wake the main thread
_SSH_FAILED = 255


class _SignalReceived(NamedTuple):
    signum: int


class _ProcessEnded(NamedTuple):
    member: Member
    code: int


_Event = Union[_SignalReceived, _ProcessEnded]


def launch(
    members: Sequence[Member],
    command: Sequence[str],
    results: Callable[[bytes], None],
    ssh: str = SSH,
    grace: float = 5.0,
    role_command: Sequence[str] = NODE_COMMAND,
) -> float:
    """Run a command in every worker, with a scheduler and servers.

    SIGINT and SIGTERM are forwarded to the workers, which finish a step, write a checkpoint and stop; a second signal
    terminates all processes immediately. SIGUSR1 is forwarded too. When a process dies, all others are terminated. The
    function installs signal handlers, so it must run in the main thread.

    Args:
        members: the processes, see :func:`gluon_cbam.launch.plan.plan`.
        command: the command of the workers.
        results: called with each line of worker 0's standard output; all other output is written to standard error.
        ssh: the command that reaches other machines.
        grace: seconds between SIGTERM and SIGKILL.
        role_command: command of the scheduler and the servers.

    Returns:
        Duration in seconds.

    Raises:
        UsageError: the command, or the ssh command, does not exist.
        Interrupted: a signal stopped the workers.
        MemberFailed: a process died.
    """
    ssh_words = shlex.split(ssh)
    if any(member.host.is_here for member in members if member.role == 'worker') and not shutil.which(command[0]):
        raise UsageError(f'no command {command[0]!r}: write it after --, as in cbam launch -n 2 -- cbam train ...')
    if any(not member.host.is_here for member in members) and not (ssh_words and shutil.which(ssh_words[0])):
        raise UsageError(f'--ssh {ssh!r}: no such command')
    began = time.time()
    job = _Job(LogForwarder(results, sys.stderr.buffer), ssh_words, grace)
    with job.handling_signals():
        try:
            for member in members:
                job.start(member, command if member.role == 'worker' else role_command)
            job.watch()
        finally:
            job.end()
    return time.time() - began


class _Job:
    """The running processes and their events."""

    def __init__(self, log: LogForwarder, ssh: Sequence[str], grace: float):
        self._log, self._ssh, self._grace = log, ssh, grace
        self._running: Dict[Member, subprocess.Popen] = {}
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._stop_signal: Optional[int] = None
        self._deadline: Optional[float] = None
        self._first_to_end: Optional[_ProcessEnded] = None  # a server or the scheduler, without an error
        self._is_done = False

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Put signals into the queue of events."""

        def add_event(signum: int, frame: Optional[FrameType]) -> None:
            self._events.put(_SignalReceived(signum))

        previous = {signum: signal.signal(signum, add_event) for signum in (*_STOPS, signal.SIGUSR1)}
        try:
            yield
        finally:
            for signum, handler in previous.items():
                signal.signal(signum, handler)

    def start(self, member: Member, command: Sequence[str]) -> None:
        """Start a process; an event is queued when it ends."""
        process = start(member, command, self._ssh, self._grace)
        self._running[member] = process
        forwarding = self._log.follow(member, process)

        def await_end() -> None:
            code = wait(process)
            for thread in forwarding:
                thread.join(_OUTPUT_TIMEOUT)
            self._events.put(_ProcessEnded(member, code))

        threading.Thread(target=await_end, daemon=True).start()

    def watch(self) -> None:
        """Wait until all workers have ended; raises what :func:`launch` raises."""
        while self._workers():
            event = self._next(self._deadline)
            if event is None:
                raise self._timed_out()
            if isinstance(event, _SignalReceived):
                self._on_signal(event.signum)
            else:
                self._on_end(event)
        if self._stop_signal is not None:
            raise Interrupted(
                f'{_name(self._stop_signal)}: all workers stopped; continue with --resume auto', self._stop_signal
            )
        self._is_done = True

    def _on_signal(self, signum: int) -> None:
        if signum == signal.SIGUSR1:
            self._send(self._workers(), signum)
        elif self._stop_signal is None:
            self._stop_signal, self._deadline = signum, time.monotonic() + _STOP_TIMEOUT
            self._send(self._workers(), _STOPS[signum])
        else:
            raise Interrupted(f'a second {_name(signum)}: all processes were ended at once', signum)

    def _on_end(self, event: _ProcessEnded) -> None:
        is_worker = event.member.role == 'worker'
        if is_worker and event.code - 128 in _STOPS:
            self._stop_signal = self._stop_signal or event.code - 128
            self._deadline = time.monotonic() + _OTHERS_TIMEOUT
        elif event.code != 0:
            raise _failure(event)
        elif not is_worker and self._stop_signal is None:  # the last worker stopped it, and ends soon as well
            self._first_to_end, self._deadline = event, time.monotonic() + _WORKERS_TIMEOUT

    def _timed_out(self) -> CbamError:
        if self._stop_signal is None:
            assert self._first_to_end is not None  # a deadline is set by a stop signal or by the end of a server
            return _failure(self._first_to_end)
        late = ', '.join(map(str, self._workers()))
        return Interrupted(
            f'{_name(self._stop_signal)}: {late} did not stop in time, the others did', self._stop_signal
        )

    def end(self) -> None:
        """Terminate the remaining workers, then servers and scheduler; after a success, these exit by themselves."""
        self._send(self._workers(), signal.SIGTERM)
        self._drain(self._workers, self._grace)
        self._drain(self._all, self._grace if self._is_done else 0)
        self._send(self._all(), signal.SIGKILL)
        self._drain(self._all, self._grace)
        for process in self._running.values():  # an ssh client with a hanging connection
            process.kill()
        self._drain(self._all, self._grace)

    def _all(self) -> List[Member]:
        return list(self._running)

    def _workers(self) -> List[Member]:
        return [member for member in self._running if member.role == 'worker']

    def _send(self, members: Sequence[Member], signum: int) -> None:
        for member in members:
            send(self._running[member], signum)

    def _drain(self, running: Callable[[], List[Member]], timeout: float) -> None:
        """Wait until ``running`` returns no process, ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        while running() and self._next(deadline) is not None:
            pass

    def _next(self, deadline: Optional[float]) -> Optional[_Event]:
        """The next event; None when the deadline has passed."""
        while True:
            left = float('inf') if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                event = self._events.get(timeout=min(left, _POLL_INTERVAL))
            except Empty:
                if left == 0:
                    return None
                continue
            if isinstance(event, _ProcessEnded):
                del self._running[event.member]
            return event


def _failure(event: _ProcessEnded) -> MemberFailed:
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

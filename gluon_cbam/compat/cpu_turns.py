"""Turns on the CPUs for the processes of this package that compute on all of them.

The batch normalization of oneDNN in mxnet 1.9.1 (``bnorm_jit``) makes its threads wait for each other in a loop that
never sleeps, and libgomp's threads wait for milliseconds before they sleep. Alone, that is fast. With two processes
that have a thread for each core, a thread often waits for another one that is not scheduled, and spends its time slice
in the loop (docs/speed.md has figures). Fewer threads would change the last digits of the results.

So these processes take turns: each computes while it holds the lock on a file, and passes it on between two batches if
another process waits for it. A process that is alone never waits.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
import tempfile
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Sequence

from . import threads

try:
    import fcntl
except ImportError:  # Windows, where no process takes turns
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import mxnet as mx

_log = logging.getLogger('gluon_cbam')

_TURN = 0.2  # seconds of a turn, at least; it ends between two batches
_SHARE = 0.75  # of the turn before: a process with short batches then computes about as long as one with long batches
_LONGEST = 15.0  # seconds of a turn before that count
_PATIENCE = 60.0  # seconds to wait for a turn
_IDLE = 1.0  # seconds after which a holder that did not compute is not waited for
_POLL = 0.002  # seconds between two attempts to take the lock
_FLOCK = struct.Struct('hhqqi4x')  # struct flock of 64-bit Linux: type, whence, start, length, process
_SECONDS = struct.Struct('<d')


class NoTurns:
    """For processes that need no turns."""

    def take(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Return at once."""

    def pass_on(self, keep: bool = False) -> None:
        """Return at once."""

    def release(self) -> None:
        """Return at once."""


class CpuTurns(NoTurns):
    """The turns of this process among those that use the same lock, which ends with its process.

    Args:
        folder: holds the files of the lock; the processes that share it take turns.
        wait: waits until everything that this process queued is done; called before the turn is passed on.
    """

    def __init__(self, folder: Path, wait: Callable[[], None]) -> None:
        self._wait = wait
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._turn, self._waiting = (os.open(folder / name, flags, 0o600) for name in ('turn', 'waiting'))
        self._began: Optional[float] = None  # when this process took the lock
        self._length = _TURN
        self._passed_over = False  # the holder was waited for in vain
        self._mutex = threading.RLock()  # the lock of a file does not exclude the threads of one process

    def take(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Wait for the turn of this process, before it queues a batch.

        It computes beside the holder where that one is idle or stopped, or keeps the lock for a minute.

        Args:
            interrupted: ends the waiting; read again and again.
        """
        with self._mutex:
            if self._began is not None or self._taken() or self._passed_over:
                return
            fcntl.lockf(self._waiting, fcntl.LOCK_SH)
            try:
                holder, end = _Holder(self._turn), time.monotonic() + _PATIENCE
                while not self._taken() and not interrupted():
                    if holder.idle() or time.monotonic() > end:
                        self._passed_over = True
                        return
                    time.sleep(_POLL)
            finally:
                fcntl.lockf(self._waiting, fcntl.LOCK_UN)

    def pass_on(self, keep: bool = False) -> None:
        """End the turn after a batch; what was queued is done first if another process waits for the turn.

        Args:
            keep: keep the turn where no other process waits for it, and until it has lasted long enough. The caller
                must :meth:`release` it.
        """
        with self._mutex:
            if self._began is None:
                return
            if not self._contended():
                if not keep:
                    self.release()
            elif not keep or time.monotonic() - self._began >= self._length:
                self._wait()
                self.release()
                time.sleep(2 * _POLL)  # the waiting process takes the lock before this one asks for it again

    def release(self) -> None:
        """End the turn at once; what was queued goes on."""
        with self._mutex:
            if self._began is not None:
                os.pwrite(self._turn, _SECONDS.pack(time.monotonic() - self._began), 0)
                self._began = None
                fcntl.lockf(self._turn, fcntl.LOCK_UN)

    def _taken(self) -> bool:
        try:
            fcntl.lockf(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        self._began, self._passed_over = time.monotonic(), False
        before = os.pread(self._turn, _SECONDS.size, 0)
        seconds = _SECONDS.unpack(before)[0] if len(before) == _SECONDS.size else 0.0
        self._length = max(_TURN, _SHARE * min(seconds, _LONGEST))
        return True

    def _contended(self) -> bool:
        try:
            fcntl.lockf(self._waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(self._waiting, fcntl.LOCK_UN)
        return False


class _Holder:
    """Watches the process that holds a lock.

    Args:
        descriptor: file descriptor of the file of the lock.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._process, self._ticks, self._since = 0, 0, time.monotonic()

    def idle(self) -> bool:
        """Whether one process held the lock for a second and computed for less than a tenth of it."""
        now = time.monotonic()
        if now - self._since < _IDLE:
            return False
        process = self._number()
        ticks = _cpu_ticks(process)
        same, used = process == self._process, (ticks - self._ticks) / os.sysconf('SC_CLK_TCK')
        elapsed, self._process, self._ticks, self._since = now - self._since, process, ticks, now
        return same and process != 0 and used < elapsed / 10

    def _number(self) -> int:
        """The number of the process; 0 where none holds the lock, or one in another container."""
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))
        return 0 if kind == fcntl.F_UNLCK else process


def _cpu_ticks(process: int) -> int:
    """The CPU time of a process, in clock ticks; 0 where it cannot be read."""
    try:
        fields = Path(f'/proc/{process}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])  # utime and stime, see proc(5)


def turns_on(ctx: Sequence[mx.Context]) -> NoTurns:
    """The turns of this process.

    Args:
        ctx: the contexts that it computes on.

    Returns:
        The turns, one object for the whole process. They do nothing on GPUs, on a single core, with fewer threads than
        cores (``OMP_NUM_THREADS``), with ``CBAM_CPU_TURNS=0``, on other systems than Linux, and where no lock can be
        made.
    """
    on_cpus = all(context.device_type == 'cpu' for context in ctx)
    return _open() if sys.platform.startswith('linux') and on_cpus and _on_all_cores() else NoTurns()


def _on_all_cores() -> bool:
    if os.environ.get('CBAM_CPU_TURNS') == '0':
        return False
    cores = threads.physical_cores()
    chosen = os.environ.get('MXNET_OMP_MAX_THREADS') or os.environ.get('OMP_NUM_THREADS', '')
    number = chosen.partition(',')[0]
    return cores > 1 and number.isdigit() and int(number) >= cores


@lru_cache(maxsize=None)
def _open() -> NoTurns:
    """The turns among the processes of this user on the same CPUs."""
    import mxnet as mx

    cpus = sum(1 << cpu for cpu in os.sched_getaffinity(0))
    folder = Path(tempfile.gettempdir(), f'gluon_cbam-{os.getuid()}', f'cpus-{cpus:x}')
    try:
        for level in (folder.parent, folder):
            level.mkdir(mode=0o700, exist_ok=True)
        if folder.parent.lstat().st_uid == os.getuid():
            return CpuTurns(folder, mx.nd.waitall)
        reason = 'belongs to another user'
    except OSError as error:  # a full or read-only file system, or one without locks
        reason = str(error)
    _log.debug('%s: %s: processes on the same CPUs do not take turns', folder, reason)
    return NoTurns()

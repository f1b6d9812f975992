"""What the processes of a job say, line by line."""

from __future__ import annotations

import subprocess
import threading
from typing import BinaryIO, Callable, List

from .plan import Member


class Relay:
    """Copies whole lines to standard error behind ``[worker 0] `` and the like; those of worker 0's standard output to
    where results go, as they are.

    Args:
        results: takes a line of worker 0's standard output.
        talk: takes all others.
    """

    def __init__(self, results: Callable[[bytes], None], talk: BinaryIO):
        self._results, self._talk = results, talk
        self._lock = threading.Lock()

    def follow(self, member: Member, process: subprocess.Popen) -> List[threading.Thread]:
        """Copy what a process says until it has ended; returns the threads that do."""
        leads = member.role == 'worker' and member.number == 0
        prefix = f'[{member}] '.encode()

        def tell(line: bytes) -> None:
            self._talk.write(prefix + line)
            self._talk.flush()

        pairs = [(process.stdout, self._results if leads else tell), (process.stderr, tell)]
        threads = [threading.Thread(target=self._copy, args=pair, daemon=True) for pair in pairs]
        for thread in threads:
            thread.start()
        return threads

    def _copy(self, stream: BinaryIO, write: Callable[[bytes], None]) -> None:
        for line in stream:
            with self._lock:
                try:
                    write(line if line.endswith(b'\n') else line + b'\n')
                except OSError:  # nobody reads any more: the processes must still not wait for it
                    write = _drop


def _drop(line: bytes) -> None:
    pass

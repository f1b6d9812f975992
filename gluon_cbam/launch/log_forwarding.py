"""The output of a job's processes, forwarded line by line."""

from __future__ import annotations

import subprocess
import threading
from typing import IO, BinaryIO, Callable, List

from .plan import Member


class LogForwarder:
    """Writes whole lines of all processes to one stream, each with the name of its process: ``[worker 0] ...``.

    The lines of worker 0's standard output are the results of the job, and have no prefix.

    Args:
        results: called with each line of worker 0's standard output.
        log: receives all other lines.
    """

    def __init__(self, results: Callable[[bytes], None], log: BinaryIO):
        self._results, self._log = results, log
        self._lock = threading.Lock()

    def follow(self, member: Member, process: subprocess.Popen) -> List[threading.Thread]:
        """Forward the output of a process until it has ended.

        Args:
            member: the process of the job.
            process: its supervisor, with pipes for standard output and standard error.

        Returns:
            The threads that forward it; they end with the output.
        """
        assert process.stdout is not None and process.stderr is not None
        prefix = f'[{member}] '.encode()

        def log(line: bytes) -> None:
            self._log.write(prefix + line)
            self._log.flush()

        has_results = member.role == 'worker' and member.number == 0
        pairs = [(process.stdout, self._results if has_results else log), (process.stderr, log)]
        threads = [threading.Thread(target=self._forward, args=pair, daemon=True) for pair in pairs]
        for thread in threads:
            thread.start()
        return threads

    def _forward(self, stream: IO[bytes], write: Callable[[bytes], None]) -> None:
        for line in stream:
            with self._lock:
                try:
                    write(line if line.endswith(b'\n') else line + b'\n')
                except OSError:  # the reader has closed the stream; the processes must not block on a full pipe
                    write = _discard


def _discard(line: bytes) -> None:
    pass

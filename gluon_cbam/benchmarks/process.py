"""Benchmark processes, seen from the process that measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Callable, Dict, Iterable, List, Optional, Sequence, Type

from gluon_cbam.common import errors
from gluon_cbam.common.timing import Timing, interleaved

from .context import BenchmarkContext

CHILD = (sys.executable, '-W', 'ignore', '-m', 'gluon_cbam.benchmarks.child')
_ROOT = str(Path(__file__).resolve().parents[2])
_EXIT_TIMEOUT = 20  # seconds, after which the process is killed


class BenchmarkProcess:
    """A child process that makes the repetitions of one context. As a context manager, it ends with the block.

    Args:
        context: of the measurement.

    Attributes:
        context: as above.
        facts: what the process stated when it was ready: ``images`` of a call, ``device``, ``versions``,
            ``imported_bytes`` (resident after its imports) and the details of the workload.
        peak_bytes: its peak memory after the imports, including them.
    """

    def __init__(self, context: BenchmarkContext):
        self.context = context
        self.peak_bytes = 0
        self._process = subprocess.Popen(
            [*CHILD, json.dumps(context.as_dict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_of(context),
        )
        self._input, self._output = _pipe(self._process.stdin), _pipe(self._process.stdout)
        self.facts: Dict[str, Any] = {}

    def __enter__(self) -> BenchmarkProcess:
        try:
            self.facts = self._receive()
        except BaseException:
            self.close(kill=True)
            raise
        return self

    def repeat(self) -> float:
        """Have the process make one repetition.

        Returns:
            Seconds of a call.

        Raises:
            CbamError: what the process raised; a RunError if it died.
        """
        self._input.write('repeat\n')
        self._input.flush()
        answer = self._receive()
        self.peak_bytes = answer['peak_bytes']
        return answer['seconds']

    def _receive(self) -> Dict[str, Any]:
        """The next line of the process; raises the error that it may be."""
        line = self._output.readline()
        if not line:
            code = self._process.wait()
            raise errors.RunError(
                f'{self.context.name}: its process ended with exit code {code}: is the memory too small?'
            )
        answer = json.loads(line)
        if 'error' in answer:
            kind = getattr(errors, answer['error'], errors.RunError)
            raise kind(f'{self.context.name}: {answer["message"]}')
        return answer

    def close(self, kill: bool = False) -> None:
        """End the process.

        Args:
            kill: at once; default by closing its input, and killing it when that does not help.
        """
        if kill:
            self._process.kill()
        with self._output:
            try:
                self._input.close()
                self._process.wait(_EXIT_TIMEOUT)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close(kill=kind is not None)


def _pipe(stream: Optional[IO[str]]) -> IO[str]:
    """A stream of a process that was started with pipes, which is never None."""
    assert stream is not None
    return stream


def environment_of(context: BenchmarkContext) -> Dict[str, str]:
    """The environment variables of a benchmark process.

    Args:
        context: of the measurement.

    Returns:
        Those of this process, with the context's threads, and its variables last.
    """
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get('PYTHONPATH'))))
    return {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': str(context.threads), **context.environment}


@dataclass(frozen=True)
class Measurement:
    """The result for one context.

    Attributes:
        context: of the measurement.
        facts: of its process, see :class:`BenchmarkProcess`.
        seconds: of a call, for each repetition.
        peak_bytes: of its process.
    """

    context: BenchmarkContext
    facts: Dict[str, Any]
    seconds: List[float]
    peak_bytes: int

    @property
    def milliseconds(self) -> Timing:
        """Percentiles of the time of a batch."""
        return Timing.of(self.seconds, self.context.batch / self.facts['images'])

    @property
    def images_per_second(self) -> float:
        """Throughput at the median."""
        return 1000 * self.context.batch / self.milliseconds.median

    @property
    def used_bytes(self) -> int:
        """Peak memory above that of the imports."""
        return max(self.peak_bytes - self.facts['imported_bytes'], 0)

    def over(self, other: Measurement) -> float:
        """The ratio of its median time to that of another.

        Args:
            other: the denominator.
        """
        return self.milliseconds.median / other.milliseconds.median


def measure(
    contexts: Sequence[BenchmarkContext],
    repetitions: int = 10,
    warm_up: int = 2,
    progress: Callable[[Iterable[int], int], Iterable[int]] = lambda rounds, total: rounds,
) -> List[Measurement]:
    """Measure several contexts together, their repetitions in turn.

    All processes are ready before the first repetition. While one works, the others sleep.

    Args:
        contexts: of the measurements.
        repetitions: that count, of each.
        warm_up: repetitions before them, of each.
        progress: see :func:`gluon_cbam.common.timing.interleaved`.

    Returns:
        The results, in the order of the contexts.

    Raises:
        CbamError: what a process raised, after the name of its context.
    """
    with ExitStack() as stack:
        # one after the other: building a network takes all cores
        processes = [stack.enter_context(BenchmarkProcess(context)) for context in contexts]
        repeat = {number: process.repeat for number, process in enumerate(processes)}
        seconds = interleaved(repeat, repetitions, warm_up, progress)
    return [
        Measurement(process.context, process.facts, seconds[number], process.peak_bytes)
        for number, process in enumerate(processes)
    ]

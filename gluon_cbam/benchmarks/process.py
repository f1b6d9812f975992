"""Starting benchmark processes and collecting their measurements."""

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
from gluon_cbam.common.timing import SPIN_DOWN_SECONDS, Timing, interleaved

from .context import BenchmarkContext

CHILD = (sys.executable, '-W', 'ignore', '-m', 'gluon_cbam.benchmarks.child')
"""The command of a benchmark process, without its context."""
_ROOT = str(Path(__file__).resolve().parents[2])
_EXIT_TIMEOUT = 20  # seconds, after which the process is killed


class BenchmarkProcess:
    """A child process that runs the repetitions of one context; as a context manager, it is closed with the block.

    Args:
        context: description of the measurement.

    Attributes:
        context: description of the measurement.
        facts: what the process reported when it was ready: ``images`` of a call, ``device``, ``versions``,
            ``imported_bytes`` (resident set size after its imports), the details of the workload, and, after a
            repetition, ``instructions``, the instruction set of our compiled operators if they are used.
        peak_bytes: peak of the resident set size after the imports, in bytes.
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
        """Run one repetition.

        Returns:
            Mean duration of a call in seconds.

        Raises:
            CbamError: the error that the process reported; RunError if it died.
        """
        self._input.write('repeat\n')
        self._input.flush()
        answer = self._receive()
        self.peak_bytes = answer['peak_bytes']
        self.facts['instructions'] = answer.get('instructions')
        return answer['seconds']

    def _receive(self) -> Dict[str, Any]:
        """The next line of the process as a dictionary; an error that it reports is raised."""
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
            kill: kill the process immediately; by default, close its input, and kill it if it does not exit.
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
    """The stream of a process that was started with pipes, which is not None."""
    assert stream is not None
    return stream


def environment_of(context: BenchmarkContext) -> Dict[str, str]:
    """The environment variables of a benchmark process.

    Args:
        context: description of the measurement.

    Returns:
        The variables of this process, OMP_NUM_THREADS, and the variables of the context.
    """
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get('PYTHONPATH'))))
    return {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': str(context.threads), **context.environment}


@dataclass(frozen=True)
class Measurement:
    """The result for one context.

    Attributes:
        context: description of the measurement.
        facts: facts about its process, see :class:`BenchmarkProcess`.
        seconds: mean duration of a call in seconds, for each repetition.
        peak_bytes: peak memory of its process in bytes.
    """

    context: BenchmarkContext
    facts: Dict[str, Any]
    seconds: List[float]
    peak_bytes: int

    @property
    def milliseconds(self) -> Timing:
        """Percentiles of the duration of a batch."""
        return Timing.of(self.seconds, self.context.batch / self.facts['images'])

    @property
    def images_per_second(self) -> float:
        """Throughput at the median duration."""
        return 1000 * self.context.batch / self.milliseconds.median

    @property
    def used_bytes(self) -> int:
        """Peak memory minus the memory after the imports, in bytes."""
        return max(self.peak_bytes - self.facts['imported_bytes'], 0)

    def over(self, other: Measurement) -> float:
        """The ratio of the median durations of two measurements.

        Args:
            other: the denominator.

        Returns:
            The median of this measurement over the median of ``other``.
        """
        return self.milliseconds.median / other.milliseconds.median


Refused = Callable[[BenchmarkContext, errors.CbamError], None]


def measure(
    contexts: Sequence[BenchmarkContext],
    repetitions: int = 10,
    warm_up: int = 2,
    progress: Callable[[Iterable[int], int], Iterable[int]] = lambda rounds, total: rounds,
    refused: Optional[Refused] = None,
) -> List[Measurement]:
    """Measure several contexts with interleaved repetitions.

    All processes are ready before the first repetition. While one works, the others wait; a pause after each repetition
    lets its threads fall asleep, which spin for a while.

    Args:
        contexts: descriptions of the measurements.
        repetitions: number of measured repetitions of each context.
        warm_up: number of repetitions before them.
        progress: see :func:`gluon_cbam.common.timing.interleaved`.
        refused: is called with a context and the error with which its process started; unless it raises an error, the
            context is left out. Default: the error is raised.

    Returns:
        The results, in the order of the contexts.

    Raises:
        CbamError: the error that a process reported, with the name of its context.
    """
    with ExitStack() as stack:
        # sequentially: building a network takes all cores
        processes = [process for context in contexts for process in _started(stack, context, refused)]
        repeat = {number: process.repeat for number, process in enumerate(processes)}
        rest = SPIN_DOWN_SECONDS if len(processes) > 1 else 0.0
        seconds = interleaved(repeat, repetitions, warm_up, progress, rest=rest)
    return [
        Measurement(process.context, process.facts, seconds[number], process.peak_bytes)
        for number, process in enumerate(processes)
    ]


def _started(stack: ExitStack, context: BenchmarkContext, refused: Optional[Refused]) -> List[BenchmarkProcess]:
    """The process of a context, ready, or none if it is refused."""
    try:
        return [stack.enter_context(BenchmarkProcess(context))]
    except errors.CbamError as error:
        if refused is None:
            raise
        refused(context, error)
        return []

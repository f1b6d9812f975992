"""A measurement in a process of its own, from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from gluon_cbam.common import errors
from gluon_cbam.common.timing import Timing, interleaved

from .context import Spec

CHILD = (sys.executable, '-W', 'ignore', '-m', 'gluon_cbam.benchmarks.child')
_ROOT = str(Path(__file__).resolve().parents[2])
_PATIENCE = 20  # seconds to end by itself when it is told to


class Side:
    """A child process that measures. As a context manager, it ends with the block.

    Args:
        spec: of the measurement.

    Attributes:
        spec: as above.
        facts: what the process said when it was ready: ``images`` of a call, ``device``, ``versions``,
            ``imported_bytes`` (resident after its imports) and the subject's details.
        peak_bytes: the most memory that it used after its imports, those included.
    """

    def __init__(self, spec: Spec):
        self.spec = spec
        self.peak_bytes = 0
        self._process = subprocess.Popen(
            [*CHILD, json.dumps(spec.as_dict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_of(spec),
        )
        self.facts: Dict[str, Any] = {}

    def __enter__(self) -> Side:
        try:
            self.facts = self._hear()
        except BaseException:
            self.close(at_once=True)
            raise
        return self

    def repeat(self) -> float:
        """Have it do one repetition; returns the seconds of a call.

        Raises:
            CbamError: what the process raised; RunError if it died.
        """
        self._process.stdin.write('repeat\n')
        self._process.stdin.flush()
        said = self._hear()
        self.peak_bytes = said['peak_bytes']
        return said['seconds']

    def _hear(self) -> Dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise errors.RunError(
                f'{self.spec.name}: its process ended with exit code {code}: is the memory too small?'
            )
        said = json.loads(line)
        if 'error' in said:
            kind = getattr(errors, said['error'], errors.RunError)
            raise kind(f'{self.spec.name}: {said["message"]}')
        return said

    def close(self, at_once: bool = False) -> None:
        """End the process: by the end of its input, or else by force."""
        if at_once:
            self._process.kill()
        with self._process.stdout:
            try:
                self._process.stdin.close()
                self._process.wait(_PATIENCE)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()

    def __exit__(self, kind, error, trace):
        self.close(at_once=kind is not None)


def environment_of(spec: Spec) -> Dict[str, str]:
    """The variables of a side's process."""
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get('PYTHONPATH'))))
    return {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': str(spec.threads), **spec.environment}


@dataclass(frozen=True)
class Measured:
    """What one side took.

    Attributes:
        spec: of the side.
        facts: of its process.
        seconds: of each repetition, a call.
        peak_bytes: of its process.
    """

    spec: Spec
    facts: Dict[str, Any]
    seconds: List[float]
    peak_bytes: int

    @property
    def milliseconds(self) -> Timing:
        """Of a batch."""
        return Timing.of(self.seconds, self.spec.batch / self.facts['images'])

    @property
    def images_per_second(self) -> float:
        """At the median."""
        return 1000 * self.spec.batch / self.milliseconds.median

    @property
    def used_bytes(self) -> int:
        """The peak less what the imports alone take."""
        return max(self.peak_bytes - self.facts['imported_bytes'], 0)

    def over(self, other: Measured) -> float:
        """Its median time over that of another."""
        return self.milliseconds.median / other.milliseconds.median


def measure(
    specs: Sequence[Spec],
    repetitions: int = 10,
    warm_up: int = 2,
    progress: Optional[Callable[[Iterable[int], int], Iterable[int]]] = None,
) -> List[Measured]:
    """Measure several sides at a time, their repetitions in turn.

    All are ready before the first begins. While one works, the others sleep.

    Args:
        specs: of the sides.
        repetitions: of each that count.
        warm_up: of each before.
        progress: as of :func:`gluon_cbam.common.timing.interleaved`.

    Raises:
        CbamError: what a side raised, its name in front.
    """
    more = {'progress': progress} if progress else {}
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(spec)) for spec in specs]  # one after the other: building takes all cores
        taken = interleaved({number: side.repeat for number, side in enumerate(sides)}, repetitions, warm_up, **more)
    return [Measured(side.spec, side.facts, taken[number], side.peak_bytes) for number, side in enumerate(sides)]

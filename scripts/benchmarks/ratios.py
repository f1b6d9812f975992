"""Ratios of two measurements: how each kind is measured, and its target."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import Measurement, measure
from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.common.timing import Timing, interleaved, timed

from . import SCRIPTS

Side = Dict[str, Any]
"""One side of a ratio: ``name``, ``milliseconds`` (min, median, p95), and ``used_bytes`` of what has a process."""


class Target(NamedTuple):
    """The target of a ratio.

    Attributes:
        least: whether the bound is a lower one; else it is an upper one.
        bound: bound of the ratio.
    """

    least: bool
    bound: float

    def met(self, ratio: float) -> bool:
        """Whether a ratio is within the bound."""
        return ratio >= self.bound if self.least else ratio <= self.bound

    def __str__(self) -> str:
        return f'{">=" if self.least else "<="} {self.bound:.2f}'


def at_most(bound: float) -> Target:
    """A ratio that should be small."""
    return Target(False, bound)


def at_least(bound: float) -> Target:
    """A ratio that should be large."""
    return Target(True, bound)


class Ratio(NamedTuple):
    """A measured ratio.

    Attributes:
        ratio: the value.
        sides: numerator and denominator.
        what: ``time`` or ``memory``.
        repetitions: number of repetitions of each side.
    """

    ratio: float
    sides: List[Side]
    what: str
    repetitions: int


@dataclass(frozen=True)
class Conditions:
    """The conditions under which the rows are measured.

    Attributes:
        threads: number of threads of the arithmetic and of decoding.
        repetitions: number of repetitions of each side, at least.
        official_onnx: the official network, exported by PyTorch; ``{batch}`` in the name stands for the batch.
        our_onnx: our export of the same.
        our_int8_onnx: our INT8 export.
    """

    threads: int
    repetitions: int = 10
    official_onnx: Optional[str] = None
    our_onnx: Optional[str] = None
    our_int8_onnx: Optional[str] = None


def _side(result: Measurement) -> Side:
    return {
        'name': result.context.name,
        'milliseconds': result.milliseconds._asdict(),
        'used_bytes': result.used_bytes,
        'versions': result.facts['versions'],
    }


def ratio(
    numerator: BenchmarkContext, denominator: BenchmarkContext, what: str = 'time', warm_up: int = 2, part: float = 1.0
):
    """The measurement of a row: the time or the memory of one context over that of another.

    Args:
        numerator: the context above.
        denominator: the context below.
        what: ``time`` for medians, ``memory`` for peaks above what the imports take.
        warm_up: rounds that do not count.
        part: share of the repetitions of the conditions: less for what takes long.
    """

    def run(conditions: Conditions) -> Ratio:
        repetitions = max(3, round(part * conditions.repetitions))
        threads = {'threads': conditions.threads, 'workers': conditions.threads}
        contexts = [context.replace(**threads) for context in (numerator, denominator)]
        first, second = measure(contexts, repetitions, warm_up)
        value = first.over(second) if what == 'time' else first.used_bytes / second.used_bytes
        return Ratio(value, [_side(first), _side(second)], what, repetitions)

    return run


def on_records(
    numerator: BenchmarkContext,
    denominator: BenchmarkContext,
    images: int,
    jpeg_size: Optional[Tuple[int, int]] = None,
    part: float = 1.0,
):
    """As :func:`ratio`, on a file of generated JPEGs that is made for it.

    Args:
        numerator: see :func:`ratio`.
        denominator: see :func:`ratio`.
        images: in the file.
        jpeg_size: their height and width; default 375 x 500.
        part: see :func:`ratio`.
    """

    def run(conditions: Conditions) -> Ratio:
        from gluon_cbam.benchmarks.textures import write_records

        with tempfile.TemporaryDirectory(prefix='cbam-benchmark-') as folder:
            path = f'{folder}/textures.rec'
            write_records(path, images, numerator.classes, jpeg_size)
            contexts = [context.replace(data=path) for context in (numerator, denominator)]
            return ratio(*contexts, warm_up=1, part=part)(conditions)

    return run


def of_commands(first: Tuple[str, List[str]], second: Tuple[str, List[str]], repetitions: int = 20):
    """The time of a command over that of another, each a name and the command."""

    def run(conditions: Conditions) -> Ratio:
        def repeat(command: List[str]) -> Callable[[], float]:
            return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

        taken = interleaved({name: repeat(command) for name, command in (first, second)}, repetitions, 2)
        sides = [{'name': name, 'milliseconds': Timing.of(taken[name])._asdict()} for name, _ in (first, second)]
        medians = [side['milliseconds']['median'] for side in sides]
        return Ratio(medians[0] / medians[1], sides, 'time', repetitions)

    return run


def of_onnx(file: str, engine: str, batch: int):
    """The time of the official ONNX file over that of ours, by ``scripts/benchmark_onnx.py``.

    Args:
        file: an attribute of :class:`Conditions`, our file.
        engine: ``onnxruntime`` or ``openvino``.
        batch: images a call.
    """

    def run(conditions: Conditions) -> Ratio:
        ours = getattr(conditions, file)
        if not ours or not conditions.official_onnx:
            flag = file.replace('_', '-')
            raise EnvironmentProblem(f'needs --{flag} and --official-onnx')
        result = _run_script(
            'benchmark_onnx.py', '--official', conditions.official_onnx, ours, '--engine', engine,
            '--batch', str(batch), '--threads', str(conditions.threads),
        )  # fmt: skip
        theirs, mine = result['rows']
        sides = [{'name': Path(row['file']).name, 'milliseconds': row['milliseconds']} for row in (theirs, mine)]
        return Ratio(mine['ratio'], sides, 'time', 0)

    return run


def of_int8(batch: int):
    """The time of float32 over that of our native INT8 network, by ``scripts/benchmark_int8.py``."""

    def run(conditions: Conditions) -> Ratio:
        result = _run_script('benchmark_int8.py', '--batch', str(batch), '--threads', str(conditions.threads))
        return Ratio(result['ratio'], result['sides'], 'time', result['repetitions'])

    return run


def _run_script(script: str, *arguments: str) -> Dict[str, Any]:
    """The JSON that a script prints."""
    path = SCRIPTS / script
    if not path.is_file():
        raise EnvironmentProblem(f'scripts/{script} is not there')
    command = [sys.executable, str(path), *arguments, '--json']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ['no message'])[-1]
        raise EnvironmentProblem(f'scripts/{script} ended with {done.returncode}: {last}')
    return json.loads(done.stdout)

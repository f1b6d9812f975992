"""Ratios of two measurements: the ways to measure them, and their targets."""

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
"""A side of a ratio: ``name``, ``milliseconds`` (min, median, p95), and ``used_bytes`` of a benchmark process."""


class Target(NamedTuple):
    """The target of a ratio.

    Attributes:
        least: whether the bound is a lower bound; else it is an upper bound.
        bound: the bound.
    """

    least: bool
    bound: float

    def met(self, ratio: float) -> bool:
        """Whether a ratio is within the bound."""
        return ratio >= self.bound if self.least else ratio <= self.bound

    def __str__(self) -> str:
        return f'{">=" if self.least else "<="} {self.bound:.2f}'


def at_most(bound: float) -> Target:
    """An upper bound."""
    return Target(False, bound)


def at_least(bound: float) -> Target:
    """A lower bound."""
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


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        title: title in the table.
        target: target of the ratio.
        measure: from :class:`Conditions` to the :class:`Ratio`; raises EnvironmentProblem if a file or package is
            missing.
    """

    title: str
    target: Target
    measure: Callable[..., Ratio]


@dataclass(frozen=True)
class Conditions:
    """The conditions under which the rows are measured.

    Attributes:
        threads: number of threads of the engine, and of decoding.
        repetitions: number of repetitions of each side, at least.
        official_onnx: path of the official network, exported by PyTorch; ``{batch}`` is replaced by the batch.
        our_onnx: path of our export of the same network.
        our_int8_onnx: path of our INT8 export.
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
    """A function that measures the ratio of the time or the memory of two contexts.

    Args:
        numerator: context of the numerator.
        denominator: context of the denominator.
        what: ``time`` for medians, ``memory`` for peaks minus the memory after the imports.
        warm_up: number of rounds before the measured ones.
        part: factor for the number of repetitions; less than 1 for slow measurements.
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
    boxes: bool = False,
):
    """As :func:`ratio`, on a temporary file of generated JPEGs.

    Args:
        numerator: see :func:`ratio`.
        denominator: see :func:`ratio`.
        images: number of images in the file.
        jpeg_size: height and width of the images; default 375 x 500.
        part: see :func:`ratio`.
        boxes: whether the labels are boxes.
    """

    def run(conditions: Conditions) -> Ratio:
        from gluon_cbam.benchmarks.textures import write_detection_records, write_records

        with tempfile.TemporaryDirectory(prefix='cbam-benchmark-') as folder:
            path = f'{folder}/textures.rec'
            write = write_detection_records if boxes else write_records
            write(path, images, numerator.classes, jpeg_size)
            contexts = [context.replace(data=path) for context in (numerator, denominator)]
            return ratio(*contexts, warm_up=1, part=part)(conditions)

    return run


def ratio_of_commands(first: Tuple[str, List[str]], second: Tuple[str, List[str]], repetitions: int = 20):
    """A function that measures the ratio of the times of two commands, each given as (name, command)."""

    def run(conditions: Conditions) -> Ratio:
        def repeat(command: List[str]) -> Callable[[], float]:
            return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

        taken = interleaved({name: repeat(command) for name, command in (first, second)}, repetitions, 2)
        sides = [{'name': name, 'milliseconds': Timing.of(taken[name])._asdict()} for name, _ in (first, second)]
        medians = [side['milliseconds']['median'] for side in sides]
        return Ratio(medians[0] / medians[1], sides, 'time', repetitions)

    return run


def ratio_of_onnx(file: str, engine: str, batch: int):
    """A function that measures the time of the official ONNX file over our file, by ``scripts/benchmark_onnx.py``.

    Args:
        file: name of the attribute of :class:`Conditions` with our file.
        engine: ``onnxruntime`` or ``openvino``.
        batch: number of images in a call.
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


def ratio_of_int8(batch: int):
    """A function that measures the time of float32 over our native INT8 network, by ``scripts/benchmark_int8.py``."""

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

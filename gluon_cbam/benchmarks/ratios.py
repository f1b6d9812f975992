"""Ratios of two sides: how each kind is measured, and what it should come to."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.common.timing import Timing, interleaved, timed

from .context import Spec
from .process import Measured, measure

_SCRIPTS = Path(__file__).resolve().parents[2] / 'scripts'
Side = Dict[str, Any]
"""One side of a ratio: ``name``, ``milliseconds`` (min, median, p95), and ``used_bytes`` of what has a process."""


class Target(NamedTuple):
    """What a ratio should come to.

    Attributes:
        least: whether the bound is the least; else it is the most.
        bound: of the ratio.
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


class Outcome(NamedTuple):
    """What a row came to.

    Attributes:
        ratio: that the target is for.
        sides: what it was made of, the numerator first.
        what: of the sides was divided: ``time`` or ``memory``.
        repetitions: of each side.
    """

    ratio: float
    sides: List[Side]
    what: str
    repetitions: int


@dataclass(frozen=True)
class Given:
    """What the rows are measured with.

    Attributes:
        threads: of the arithmetic, and that decode.
        repetitions: of each side, at least.
        official_onnx: the official network, exported by PyTorch; ``{batch}`` in the name stands for the batch.
        our_onnx: our export of the same.
        our_int8_onnx: our INT8 export.
    """

    threads: int
    repetitions: int = 10
    official_onnx: Optional[str] = None
    our_onnx: Optional[str] = None
    our_int8_onnx: Optional[str] = None


def _described(side: Measured) -> Side:
    return {
        'name': side.spec.name,
        'milliseconds': side.milliseconds._asdict(),
        'used_bytes': side.used_bytes,
        'versions': side.facts['versions'],
    }


def ratio(numerator: Spec, denominator: Spec, what: str = 'time', warm_up: int = 2, part: float = 1.0):
    """A row's measurement: the time or the memory of one side over that of another.

    Args:
        numerator: the one.
        denominator: the other.
        what: ``time`` for medians, ``memory`` for peaks above what the imports take.
        warm_up: rounds that do not count.
        part: of the repetitions that are asked for: less for what takes long.
    """

    def run(given: Given) -> Outcome:
        repetitions = max(3, round(part * given.repetitions))
        sides = [spec.but(threads=given.threads, workers=given.threads) for spec in (numerator, denominator)]
        first, second = measure(sides, repetitions, warm_up)
        value = first.over(second) if what == 'time' else first.used_bytes / second.used_bytes
        return Outcome(value, [_described(first), _described(second)], what, repetitions)

    return run


def on_records(
    numerator: Spec, denominator: Spec, images: int, jpeg_size: Optional[Tuple[int, int]] = None, part: float = 1.0
):
    """As :func:`ratio`, on a file of generated JPEGs that is made for it.

    Args:
        numerator: the one.
        denominator: the other.
        images: of the file.
        jpeg_size: their height and width; default 375 x 500.
        part: as of :func:`ratio`.
    """

    def run(given: Given) -> Outcome:
        from .textures import write_records

        with tempfile.TemporaryDirectory(prefix='cbam-benchmark-') as folder:
            path = f'{folder}/textures.rec'
            write_records(path, images, numerator.classes, jpeg_size)
            specs = [spec.but(data=path) for spec in (numerator, denominator)]
            return ratio(*specs, warm_up=1, part=part)(given)

    return run


def of_commands(first: Tuple[str, List[str]], second: Tuple[str, List[str]], repetitions: int = 20):
    """The time of a command over that of another, each a name and what is run."""

    def run(given: Given) -> Outcome:
        def repeat(command: List[str]) -> Callable[[], float]:
            return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

        taken = interleaved({name: repeat(command) for name, command in (first, second)}, repetitions, 2)
        sides = [{'name': name, 'milliseconds': Timing.of(taken[name])._asdict()} for name, _ in (first, second)]
        medians = [side['milliseconds']['median'] for side in sides]
        return Outcome(medians[0] / medians[1], sides, 'time', repetitions)

    return run


def of_onnx(file: str, engine: str, batch: int):
    """How many times as fast as the official ONNX file ours is, by ``scripts/benchmark_onnx.py``.

    Args:
        file: an attribute of :class:`Given`, our file.
        engine: ``onnxruntime`` or ``openvino``.
        batch: images a call.
    """

    def run(given: Given) -> Outcome:
        ours = getattr(given, file)
        if not ours or not given.official_onnx:
            flag = file.replace('_', '-')
            raise EnvironmentProblem(f'needs --{flag} and --official-onnx')
        said = _said_by(
            'benchmark_onnx.py', '--official', given.official_onnx, ours, '--engine', engine, '--batch', str(batch),
            '--threads', str(given.threads),
        )  # fmt: skip
        theirs, mine = said['rows']
        sides = [{'name': Path(row['file']).name, 'milliseconds': row['milliseconds']} for row in (theirs, mine)]
        return Outcome(mine['ratio'], sides, 'time', 0)

    return run


def of_int8(batch: int):
    """How many times as fast as float32 our native INT8 network is, by ``scripts/benchmark_int8.py``, which says
    ``ratio``, ``repetitions`` and the ``sides``, float32 first."""

    def run(given: Given) -> Outcome:
        said = _said_by('benchmark_int8.py', '--batch', str(batch), '--threads', str(given.threads))
        return Outcome(said['ratio'], said['sides'], 'time', said['repetitions'])

    return run


def _said_by(script: str, *arguments: str) -> Dict[str, Any]:
    path = _SCRIPTS / script
    if not path.is_file():
        raise EnvironmentProblem(f'scripts/{script} is not there')
    command = [sys.executable, str(path), *arguments, '--json']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ['no word'])[-1]
        raise EnvironmentProblem(f'scripts/{script} ended with {done.returncode}: {last}')
    return json.loads(done.stdout)

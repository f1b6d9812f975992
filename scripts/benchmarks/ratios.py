"""Ratios of two measurements: the ways to measure them, and their targets."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.benchmarks.comparison import same_weights
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import Measurement, Refused, measure
from gluon_cbam.common.errors import CbamError, EnvironmentProblem
from gluon_cbam.common.timing import Timing, interleaved, timed

from . import IMPORTABLE
from .instructions import onednn_instructions

Side = Dict[str, Any]
"""A side of a ratio: ``name``, ``milliseconds`` (min, p5, median, p95) and ``versions``; of a benchmark process also
``used_bytes``, ``peak_bytes``, ``settings`` of its engine, ``difference`` of its outputs from ours, ``environment``,
and ``instructions``: library -> the instruction set that it used."""


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
        what: ``time``, ``memory`` or ``process memory``.
        repetitions: number of repetitions of each side.
        note: what else a reader has to know.
    """

    ratio: float
    sides: List[Side]
    what: str
    repetitions: int
    note: str = ''


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
    """

    threads: int
    repetitions: int = 10

    def measure(
        self, contexts: Sequence[BenchmarkContext], part: float, warm_up: int, refused: Optional[Refused] = None
    ) -> List[Measurement]:
        """Measure contexts in turn.

        Args:
            contexts: descriptions of the measurements, without threads.
            part: factor for the number of repetitions, of which there are three at least.
            warm_up: number of rounds before them.
            refused: see :func:`gluon_cbam.benchmarks.process.measure`.
        """
        threads = {'threads': self.threads, 'workers': self.threads}
        contexts = [context.replace(**threads) for context in contexts]
        return measure(contexts, max(3, round(part * self.repetitions)), warm_up, refused=refused)


def _side(result: Measurement) -> Side:
    environment = {name: value for name, value in result.context.environment.items() if name not in IMPORTABLE}
    return {
        'name': result.context.name,
        'milliseconds': result.milliseconds._asdict(),
        'used_bytes': result.used_bytes,
        'peak_bytes': result.peak_bytes,
        'versions': result.facts['versions'],
        'settings': result.facts.get('settings', {}),
        'difference': result.facts.get('difference'),
        'environment': environment,
        'instructions': _instructions(result, environment),
    }


def _instructions(result: Measurement, environment: Dict[str, str]) -> Dict[str, str]:
    found = {'our operators': result.facts.get('instructions')}
    if 'mxnet' in result.facts['versions']:
        found['oneDNN'] = onednn_instructions(environment)
    return {name: value for name, value in found.items() if value}


BYTES = {'memory': 'used_bytes', 'process memory': 'peak_bytes'}
"""What is compared -> the bytes of a side: above what the imports take, or all of a process."""


def ratio(
    numerator: BenchmarkContext, denominator: BenchmarkContext, what: str = 'time', warm_up: int = 2, part: float = 1.0
):
    """A function that measures the ratio of the time or the memory of two contexts.

    Args:
        numerator: context of the numerator.
        denominator: context of the denominator.
        what: ``time`` for medians, ``memory`` for peaks minus the memory after the imports, ``process memory`` for
            peaks of whole processes.
        warm_up: number of rounds before the measured ones.
        part: factor for the number of repetitions; less than 1 for slow measurements.
    """

    def run(conditions: Conditions) -> Ratio:
        if what in BYTES:  # comparing outputs would take memory
            results = conditions.measure((numerator, denominator), part, warm_up)
            sides = [_side(result) for result in results]
            value = sides[0][BYTES[what]] / sides[1][BYTES[what]]
        else:
            with same_weights((numerator, denominator)) as contexts:
                results = conditions.measure(contexts, part, warm_up)
            sides, value = [_side(result) for result in results], results[0].over(results[1])
        return Ratio(value, sides, what, len(results[0].seconds))

    return run


def ratio_to_fastest(ours: BenchmarkContext, others: Sequence[BenchmarkContext], part: float = 1.0):
    """A function that measures the ratio of the time of a context to that of the fastest of others.

    Args:
        ours: context of the numerator.
        others: contexts of which the fastest is the denominator; those that this machine lacks packages for are left
            out, and the note says so.
        part: see :func:`ratio`.
    """

    def run(conditions: Conditions) -> Ratio:
        left_out: Dict[str, str] = {}

        def refused(context: BenchmarkContext, error: CbamError) -> None:
            is_ours = (context.engine, context.workload) == (ours.engine, ours.workload)
            if is_ours or not isinstance(error, EnvironmentProblem):
                raise error
            left_out[context.name] = str(error).partition(f'{context.name}: ')[2]

        with same_weights((ours, *others)) as contexts:
            first, *rest = conditions.measure(contexts, part, 2, refused)
        if not rest:
            raise EnvironmentProblem('; '.join(left_out.values()))
        rest.sort(key=lambda result: result.milliseconds.median)
        note = f'fastest of {len(rest)}: {rest[0].context.name}'
        note += ''.join(f'; without {name}: {reason}' for name, reason in left_out.items())
        sides = [_side(result) for result in (first, *rest)]
        return Ratio(first.over(rest[0]), sides, 'time', len(first.seconds), note)

    return run


def spread_of_repetitions(context: BenchmarkContext, processes: int = 10, part: float = 1.0):
    """A function that measures the 95th percentile over the median of the repetitions of several processes.

    Args:
        context: the context of all processes.
        processes: number of processes, whose repetitions take turns.
        part: see :func:`ratio`.
    """

    def run(conditions: Conditions) -> Ratio:
        results = conditions.measure([context] * processes, part, 2)
        timing = Timing.of([seconds for result in results for seconds in result.seconds])
        return _spread(results, ('95th percentile', timing.p95), ('median', timing.median))

    return run


def spread_of_processes(context: BenchmarkContext, processes: int = 10, part: float = 1.0):
    """A function that measures the median of the slowest of several processes over that of the fastest.

    Args:
        context: see :func:`spread_of_repetitions`.
        processes: see :func:`spread_of_repetitions`.
        part: see :func:`ratio`.
    """

    def run(conditions: Conditions) -> Ratio:
        results = conditions.measure([context] * processes, part, 2)
        medians = [result.milliseconds.median for result in results]
        return _spread(results, ('slowest process', max(medians)), ('fastest process', min(medians)))

    return run


def _spread(results: Sequence[Measurement], *figures: Tuple[str, float]) -> Ratio:
    """The ratio of two figures, in milliseconds, of processes of one context."""
    sides = [{**_side(results[0]), 'name': name, 'milliseconds': {'median': value}} for name, value in figures]
    return Ratio(figures[0][1] / figures[1][1], sides, 'time', len(results[0].seconds), f'{len(results)} processes')


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
        versions = {'click': metadata.version('click')}
        sides: List[Side] = [
            {'name': name, 'milliseconds': Timing.of(taken[name])._asdict(), 'versions': versions}
            for name, _ in (first, second)
        ]
        medians = [side['milliseconds']['median'] for side in sides]
        return Ratio(medians[0] / medians[1], sides, 'time', repetitions)

    return run

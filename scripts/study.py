"""Common parts of the studies in this directory: the networks to compare, and training with several seeds.

Every run is a process of ``cbam train``. A finished run is not repeated; an interrupted run is resumed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
_CBAM = str(Path(sys.executable).parent / 'cbam')
Result, Case = TypeVar('Result'), TypeVar('Case')


class Row(NamedTuple):
    """A network to compare: its name in the table, and its flags."""

    name: str
    network: str
    options: Tuple[str, ...] = ()

    @property
    def flags(self) -> List[str]:
        """The flags of ``cbam train``."""
        return ['--network', self.network, *(flag for option in self.options for flag in ('--option', option))]


def study_options(name: str, epochs: Optional[int], images: int, seeds: int = 3, what: str = 'training images'):
    """A decorator that adds the options of every study, with their defaults.

    Args:
        name: the directory of the runs below ``runs``.
        epochs: passes over the training data; None for a study whose data sets have their own.
        images: number of images.
        seeds: runs of each network.
        what: which images are counted.
    """
    options = (
        click.option('--seeds', default=seeds, show_default=True, type=click.IntRange(2), help='runs of each network'),
        click.option(
            '--epochs', default=epochs, show_default=True if epochs else 'of each data set', type=click.IntRange(1)
        ),
        click.option('--images', default=images, show_default=True, type=click.IntRange(64), help=what),
        click.option(
            '--work', default=ROOT / 'runs' / name, type=click.Path(path_type=Path), help='directory of the runs'
        ),
        click.option(
            '--docs', default=ROOT / 'docs', type=click.Path(path_type=Path), help='directory of the table and the plot'
        ),
        click.option('--jobs', default=CORES, show_default=True, help='parallel runs, one core each'),
    )

    def add(function):
        for option in reversed(options):
            function = option(function)
        return function

    return add


def call(*arguments: str) -> dict:
    """The value of ``cbam ... --json``, computed on one thread for reproducibility."""
    return measured_call(*arguments)[0]


def measured_call(*arguments: str) -> Tuple[dict, float]:
    """The value of ``cbam ... --json`` as :func:`call` gives it, and the CPU time that it took in seconds."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    with subprocess.Popen([_CBAM, *arguments, '--json'], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if process.returncode:
        raise click.ClickException(f'cbam {" ".join(arguments)} exited with {process.returncode}')
    return json.loads(printed), usage.ru_utime + usage.ru_stime


def train(row: Row, seed: int, work: Path, recipe: Sequence[str]) -> Path:
    """Train one network with one seed on ``work/data``; returns its run directory."""
    output = work / f'{row.network}{"-".join(("", *row.options))}-seed{seed}'
    data = work / 'data'
    if not (output / 'summary.json').exists():
        call(
            'train', *row.flags, *recipe, '--seed', str(seed), '--resume', 'auto',
            '--data-train', str(data / 'train.rec'), '--data-val', str(data / 'val.rec'), '--output', str(output),
        )  # fmt: skip
    print(f'{output.name}: top-1 {final(output)["top1"]:.4f}', file=sys.stderr, flush=True)
    return output


def final(run: Path) -> dict:
    """The scores of a finished run after its last epoch."""
    return json.loads((run / 'summary.json').read_text())['final']


def for_every_seed(
    rows: Sequence[Case], seeds: int, jobs: int, function: Callable[[Case, int], Result]
) -> List[List[Result]]:
    """The results of ``function`` for every row and seed, ``jobs`` at a time: a list of seeds for each row.

    All rows of the first seed run before the second seed, so that a study that is stopped has results of each row.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = {(row, seed): pool.submit(function, row, seed) for seed in range(seeds) for row in rows}
        return [[futures[row, seed].result() for seed in range(seeds)] for row in rows]


def parameters(row: Row, classes: int, size: int) -> int:
    """The number of parameters of a row's network."""
    arguments = ['models', 'info', row.network, *row.flags[2:]]
    return call(*arguments, '--classes', str(classes), '--image-size', str(size))['parameters']


def flags(settings: dict) -> List[str]:
    """Settings as flags of the command."""
    return [text for name, value in settings.items() for text in (f'--{name}', str(value))]


def plus_minus(values: Sequence[float], digits: int = 4) -> str:
    """Mean and standard deviation of the seeds."""
    return f'{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}'


class Difference(NamedTuple):
    """A mean of paired differences with its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired(values: Sequence[float], base: Sequence[float]) -> Difference:
    """The mean of the differences of pairs, and its interval by Student's t distribution.

    Args:
        values: a value for each seed.
        base: the values that they are compared with, in the same order.
    """
    from scipy import stats

    differences = np.subtract(values, base)
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    reach = stats.t.ppf(0.975, len(differences) - 1) * error
    return Difference(float(mean), float(mean - reach), float(mean + reach))


class Comparison(NamedTuple):
    """A paired difference, and the p-value of its t test, corrected for the number of comparisons."""

    difference: Difference
    p: float


def compared(values: Sequence[Sequence[float]], base: Sequence[float]) -> List[Comparison]:
    """Compare networks with one by paired t tests, corrected by Holm's method (Scandinavian J. of Statistics, 1979).

    Args:
        values: for each network, a value for each seed.
        base: the values that they are compared with, in the order of the seeds.
    """
    from scipy import stats

    found = np.array([stats.ttest_1samp(np.subtract(each, base), 0).pvalue for each in values])
    order = np.argsort(found)
    stepped = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)).clip(max=1)
    corrected = np.empty(len(found))
    corrected[order] = stepped
    return [Comparison(paired(each, base), float(p)) for each, p in zip(values, corrected)]


def draw_seeds(
    axes, places: Sequence[float], values: Sequence[Sequence[float]], color: str = '#2171b5', label: str = ''
) -> None:
    """Draw each seed, their mean and standard deviation, at a position of the y axis for each row."""
    means, deviations = np.mean(values, axis=1), np.std(values, axis=1, ddof=1)
    axes.errorbar(means, places, xerr=deviations, fmt='o', color=color, capsize=4, zorder=3, label=label or None)
    for place, seeds in zip(places, values):
        axes.plot(seeds, np.full(len(seeds), place), '.', color=color, alpha=0.4, markersize=9, zorder=2)

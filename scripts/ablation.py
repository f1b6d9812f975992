"""Attention ablation: one network with no attention, SE, and CBAM in parts and orders, several seeds each.

Trains on digits in clutter (``cbam data digits --clutter``) with ``cbam train``, one process a core, and writes
``docs/ablation.md`` and ``docs/ablation.png``. A run that is finished is not trained again; one that was stopped goes
on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CBAM = str(Path(sys.executable).parent / 'cbam')


class Row(NamedTuple):
    """A network to compare: a name in the table, and its flags."""

    name: str
    network: str
    options: Tuple[str, ...] = ()


ROWS = (
    Row('ResNet-18', 'resnet18'),
    Row('SE', 'se_resnet18'),
    Row('CBAM, channel only', 'cbam_resnet18', ('spatial=false',)),
    Row('CBAM, channel then spatial (the paper)', 'cbam_resnet18'),
    Row('CBAM, spatial then channel', 'cbam_resnet18', ('order=spatial_channel',)),
    Row('CBAM, both in parallel', 'cbam_resnet18', ('order=parallel',)),
)
RECIPE = {
    'image-size': 32,
    'crop-ratio': 1,
    'augment': 'none',
    'batch-size': 64,
    'lr': 0.02,
    'lr-mode': 'cosine',
    'warmup-epochs': 1,
    'wd': 5e-4,
}


class Scores(NamedTuple):
    """What the seeds of a row scored, and the size of its network."""

    row: Row
    parameters: int
    top1: np.ndarray
    loss: np.ndarray


@click.command()
@click.option('--seeds', default=3, show_default=True, type=click.IntRange(2), help='runs a network')
@click.option('--epochs', default=5, show_default=True, type=click.IntRange(1))
@click.option('--images', default=3000, show_default=True, type=click.IntRange(64), help='training images')
@click.option('--work', default=ROOT / 'runs' / 'ablation', type=click.Path(path_type=Path), help='folder of the runs')
@click.option('--docs', default=ROOT / 'docs', type=click.Path(path_type=Path), help='where table and plot go')
@click.option('--jobs', default=len(os.sched_getaffinity(0)), show_default=True, help='runs at a time, a core each')
def main(seeds: int, epochs: int, images: int, work: Path, docs: Path, jobs: int) -> None:
    """Train every network with every seed and write the comparison."""
    _call('data', 'digits', str(work / 'data'), '--clutter', str(images))
    recipe = [text for name, value in {**RECIPE, 'epochs': epochs}.items() for text in (f'--{name}', str(value))]
    with ThreadPoolExecutor(jobs) as pool:
        scored = list(pool.map(lambda job: _train(*job, work, recipe), [(r, s) for r in ROWS for s in range(seeds)]))
    table = [_scores(row, scored[number * seeds : (number + 1) * seeds]) for number, row in enumerate(ROWS)]
    docs.mkdir(exist_ok=True)
    (docs / 'ablation.md').write_text(_text(table, images, ' '.join(recipe), seeds), encoding='utf-8')
    _draw(table, docs / 'ablation.png')
    click.echo((docs / 'ablation.md').read_text(encoding='utf-8'))


def _train(row: Row, seed: int, work: Path, recipe: List[str]) -> Dict[str, float]:
    """Train one network with one seed, and score its last state."""
    output = work / f'{row.network}{"-".join(("", *row.options))}-seed{seed}'
    data = work / 'data'
    if not (output / 'summary.json').exists():
        flags = [flag for option in row.options for flag in ('--option', option)]
        _call(
            'train', '--network', row.network, *flags, *recipe, '--seed', str(seed), '--resume', 'auto',
            '--data-train', str(data / 'train.rec'), '--data-val', str(data / 'val.rec'), '--output', str(output),
        )  # fmt: skip
    final = json.loads((output / 'summary.json').read_text())['final']
    print(f'{output.name}: top-1 {final["top1"]:.4f}', file=sys.stderr, flush=True)
    return final


def _call(*arguments: str) -> dict:
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}  # a core a run, and the same bits every time
    done = subprocess.run([CBAM, *arguments, '--json'], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f'cbam {" ".join(arguments)} ended with {done.returncode}')
    return json.loads(done.stdout)


def _scores(row: Row, finals: List[Dict[str, float]]) -> Scores:
    flags = [flag for option in row.options for flag in ('--option', option)]
    parameters = _call('models', 'info', row.network, '--classes', '10', '--image-size', '32', *flags)['parameters']
    top1, loss = (np.array([final[name] for final in finals]) for name in ('top1', 'loss'))
    return Scores(row, parameters, top1, loss)


def _text(table: List[Scores], images: int, recipe: str, seeds: int) -> str:
    lines = [
        '# Ablation at a small scale',
        '',
        f'{images} training and {-(-images // 4)} validation images of handwritten digits in clutter, 32 x 32 pixels;',
        f'validation after the last epoch, mean and standard deviation over {seeds} seeds (0 to {seeds - 1}).',
        '',
        '| network | parameters | top-1 | loss |',
        '|---|---|---|---|',
        *(
            f'| {s.row.name} | {s.parameters:,} | {s.top1.mean():.4f} ± {s.top1.std(ddof=1):.4f} '
            f'| {s.loss.mean():.4f} ± {s.loss.std(ddof=1):.4f} |'
            for s in table
        ),
        '',
        '![Top-1 of every seed](ablation.png)',
        '',
        'What it shows: that each variant trains, and how far apart they are on this task beside the spread of the',
        'seeds. What it does not: how they rank on ImageNet. The images are small, the spatial maps 8 x 8 pixels and',
        'fewer, and differences within two deviations mean nothing.',
        '',
        f'`scripts/ablation`: `cbam train {recipe}`,',
        f'Python {platform.python_version()}, mxnet 1.9.1, one thread a run.',
        '',
    ]
    return '\n'.join(lines)


def _draw(table: List[Scores], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), dpi=120, layout='constrained')
    axes = figure.subplots()
    for place, scores in enumerate(reversed(table)):
        axes.errorbar(
            scores.top1.mean(), place, xerr=scores.top1.std(ddof=1), fmt='o', color='#2171b5', capsize=4, zorder=3
        )
        axes.plot(scores.top1, np.full(len(scores.top1), place), '.', color='#9ecae1', markersize=9, zorder=2)
    axes.set_yticks(range(len(table)), [scores.row.name for scores in reversed(table)])
    axes.set_xlabel('top-1 accuracy: each seed, their mean and standard deviation')
    axes.grid(axis='x', alpha=0.3)
    figure.savefig(str(path))


if __name__ == '__main__':
    main()

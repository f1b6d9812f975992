"""The page and the plot of the study of detection, from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
from study import Difference, draw_seeds, paired, plus_minus

from .pictures import PICTURES

_FIGURES = {'ap': 'AP', 'ap50': 'AP50', 'voc07': 'VOC07'}
"""Key in the results -> name in the tables."""
_CONTROLS = (
    ('CBAM in the backbone', 'SE in the backbone'),
    ('CBAM in the heads, gates from 1', 'CBAM in the heads'),
)
"""Networks that are compared with each other: names of rows."""
_TEXT = """\
# Detection: attention at a small scale

**No benchmark of detection was run here**: no COCO, no Pascal VOC, and no backbone that was trained on ImageNet. SSD
(`ssd_300`) on a ResNet-18 of a quarter of the width is trained without attention, with SE or CBAM in every block of
the backbone (table 6 of the paper), with CBAM before every classifier (table 7), also with gates that start at 1, and
with both, for about a minute a run, from random weights:

- **Drawn scenes**: {images} training and {validation} validation pictures of `cbam data shapes --boxes`, of 64 x 64
  pixels, with up to eight discs, rings and triangles in clutter. Every seed draws scenes of its own.
- **Trees**: the four aerial pictures of `cbam data trees`, in tiles: 160 of two pictures for training, 46 of the two
  others for validation. All seeds have the same tiles. A run starts from the weights of the same network and seed on
  the scenes: a trial from random weights had an AP of 0.011 and an AP50 of 0.063 after 25 epochs.

AP and AP50 are COCO's, and VOC07 is Pascal VOC's mAP of 2007, all after the last epoch: mean and standard deviation
over {seeds} seeds (0 to {last}).

{tables}

![AP of every seed](detection.png)

CPU seconds are those of a whole run of `cbam train`, with its start and a validation after each epoch: the median of
the runs, on cores that other programs use as well.

## Differences from the network without attention

Mean over the seeds of the difference from the network without attention with the same seed, that is with the same
pictures in the same order, and its 95 % confidence interval by Student's t distribution of {freedom} degrees of
freedom. Those that exclude 0 are in bold.

{differences}

## Reading

{verdicts}
{controls}
- An interval that contains 0 says that {seeds} seeds cannot tell the network from the one without attention here.
  The tables have {comparisons} intervals: of so many, about {by_chance} exclude 0 by chance where nothing differs.
- What the same short training gives a network is compared, not what it reaches in the end. The network without
  attention, trained twice as long: {longer} Where that gains more than
  attention does, attention may change no more than how fast a network learns.
- Trees: an AP of about 0.02 is next to nothing. It shows that the way from pictures to scores works, and is too low to
  compare networks by. Four pictures are few, too: the deviation is that of the training alone, and says nothing about
  other pictures. A quarter of the boxes are small parts of trees that the borders of tiles cut off: AP and AP50 count
  them as others, and VOC07 leaves them out.
- The spatial gate of CBAM normalizes with running statistics of momentum 0.99 (0.9 elsewhere), which follow the
  weights over some hundred steps. That is why runs have several hundred steps and end with a learning rate of 0: runs
  of a few dozen steps validate near 0 with CBAM, whatever it learns.
- Gates start at about a half, so that those of the heads shrink what a classifier reads to about a quarter, from
  which a short training has to recover. With `--option gate=identity` they start at 1: the second comparison above says
  what that changes.
- All networks have the recipe below, which was chosen by a few runs without attention: if it favors a row, then the
  first.
- Table 6 of the paper is of Faster R-CNN with ResNet-50 and ResNet-101 on COCO, trained for 490,000 steps, and table 7
  of backbones that were trained on ImageNet. Nothing here confirms or contradicts them.

## How it was run

`{study}`, {date}: {runs} runs, and those that were trained twice as long, with one thread each.

{commands}

`--option {reduction}` in networks with attention, since the default of 16 leaves one channel in the first stage. Python
{python}, mxnet 1.9.1, NumPy {numpy}; the figures of every run are in `docs/detection.json`.
"""


class Outcome(NamedTuple):
    """A row of the tables: the runs of all seeds of a network on a data set, in the order of the seeds."""

    pictures: str
    network: str
    parameters: int
    runs: List[Dict[str, Any]]

    def values(self, figure: str) -> List[float]:
        """A figure of every seed."""
        return [run[figure] for run in self.runs]

    @property
    def seconds(self) -> str:
        """The median CPU time of a run; runs that were stopped in between have none."""
        known = [run['cpu_seconds'] for run in self.runs if run['cpu_seconds'] is not None]
        return f'{np.median(known):.0f}' if known else '-'


def outcomes(results: Dict[str, Any]) -> List[Outcome]:
    """The rows of the tables, in the order of the results."""
    rows: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
    for run in results['runs']:
        rows.setdefault((run['pictures'], run['network']), []).append(run)
    return [
        Outcome(pictures, network, results['parameters'][pictures][network], sorted(runs, key=lambda run: run['seed']))
        for (pictures, network), runs in rows.items()
    ]


def text(results: Dict[str, Any]) -> str:
    """The page, in Markdown.

    Args:
        results: the content of ``detection.json``, see ``scripts/detection_study.py``.
    """
    rows = outcomes(results)
    names = list(results['epochs'])
    differences = list(_differences(rows))
    return _TEXT.format(
        seeds=results['seeds'],
        last=results['seeds'] - 1,
        freedom=results['seeds'] - 1,
        images=f'{results["images"]:,}',
        validation=f'{-(-results["images"] // 10):,}',
        tables='\n\n'.join(_table(name, rows) for name in names),
        differences='\n\n'.join(_difference_table(name, differences) for name in names),
        verdicts='\n'.join(_verdicts(differences)),
        controls='\n'.join(_controls(rows)),
        longer='; '.join(_longer(rows, results)) + '.',
        comparisons=len(differences),
        by_chance=f'{0.05 * len(differences):.1f}',
        runs=len(results['runs']),
        study=' '.join(['scripts/detection_study', *results['options']]),
        commands='\n\n'.join(_command(name, results) for name in names),
        **{name: results[name] for name in ('reduction', 'date', 'python', 'numpy')},
    )


def _table(pictures: str, rows: List[Outcome]) -> str:
    titles = ['parameters', *_FIGURES.values(), 'CPU seconds']
    lines = [f'| {PICTURES[pictures].title} | {" | ".join(titles)} |', '|---' * (1 + len(titles)) + '|']
    for row in rows:
        if row.pictures == pictures:
            scores = ' | '.join(plus_minus(row.values(name)) for name in _FIGURES)
            lines.append(f'| {row.network} | {row.parameters:,} | {scores} | {row.seconds} |')
    return '\n'.join(lines)


class _Found(NamedTuple):
    """How a figure differs from that of the first network."""

    pictures: str
    network: str
    figure: str
    difference: Difference


def _differences(rows: List[Outcome]) -> Iterator[_Found]:
    first: Dict[str, Outcome] = {}
    for row in rows:
        base = first.setdefault(row.pictures, row)
        if row is not base:
            for key, figure in _FIGURES.items():
                yield _Found(row.pictures, row.network, figure, paired(row.values(key), base.values(key)))


def _difference_table(pictures: str, differences: List[_Found]) -> str:
    lines = [f'| {PICTURES[pictures].title} | {" | ".join(_FIGURES.values())} |', '|---' * (1 + len(_FIGURES)) + '|']
    rows: Dict[str, List[str]] = {}
    for found in differences:
        if found.pictures == pictures:
            mean, low, high = found.difference
            cell = f'{mean:+.4f} ({low:+.4f} to {high:+.4f})'
            rows.setdefault(found.network, []).append(f'**{cell}**' if found.difference.differs else cell)
    return '\n'.join([*lines, *(f'| {network} | {" | ".join(cells)} |' for network, cells in rows.items())])


def _verdicts(differences: List[_Found]) -> Iterator[str]:
    """For each data set, the networks and figures whose intervals exclude 0."""
    for pictures in dict.fromkeys(found.pictures for found in differences):
        told: Dict[str, List[str]] = {}
        for found in differences:
            if found.pictures == pictures and found.difference.differs:
                told.setdefault(found.network, []).append(f'{found.figure} {found.difference.mean:+.3f}')
        listed = '; '.join(f'{network}: {", ".join(figures)}' for network, figures in told.items())
        yield f'- {PICTURES[pictures].title}: intervals that exclude 0: {listed or "none"}.'


def _controls(rows: List[Outcome]) -> Iterator[str]:
    """For each of the comparisons in _CONTROLS and each data set, the difference of the AP."""
    named = {(row.pictures, row.network): row for row in rows}
    for one, other in _CONTROLS:
        found = []
        for pictures in dict.fromkeys(row.pictures for row in rows):
            mean, low, high = paired(named[pictures, one].values('ap'), named[pictures, other].values('ap'))
            found.append(f'{PICTURES[pictures].title} {mean:+.4f} ({low:+.4f} to {high:+.4f})')
        yield f'- AP of "{one}" minus that of "{other}": {"; ".join(found)}.'


def _longer(rows: List[Outcome], results: Dict[str, Any]) -> Iterator[str]:
    """How far from the end of learning the runs are: the first network with seed 0, trained twice as long."""
    for run in results['twice_as_long']:
        once = next(row.runs[0] for row in rows if (row.pictures, row.network) == (run['pictures'], run['network']))
        yield (
            f'{PICTURES[run["pictures"]].title}, seed 0: an AP of {once["ap"]:.4f} after {once["epochs"]} epochs, and '
            f'of {run["ap"]:.4f} after {run["epochs"]}'
        )


def _command(pictures: str, results: Dict[str, Any]) -> str:
    settings = f'{results["recipe"]} {results["settings"][pictures]} --epochs {results["epochs"][pictures]}'
    start = ' --pretrained RUN' if PICTURES[pictures].starts_from else ''
    return f'{PICTURES[pictures].title}: `cbam train {results["network"]} {settings}{start}`'


def draw(results: Dict[str, Any], path: Path) -> None:
    """A panel for each data set with the AP of every seed, their mean and standard deviation."""
    from matplotlib.figure import Figure

    rows = outcomes(results)
    names = list(results['epochs'])
    figure = Figure(figsize=(1 + 4.5 * len(names), 3.4), dpi=120, layout='constrained')
    for number, (axes, name) in enumerate(zip(np.atleast_1d(figure.subplots(1, len(names))), names)):
        own = [row for row in rows if row.pictures == name]
        places = len(own) - 1 - np.arange(len(own))
        draw_seeds(axes, places, [row.values('ap') for row in own])
        axes.axvline(np.mean(own[0].values('ap')), color='0.4', linestyle=':')
        axes.set_yticks(places, [row.network for row in own] if number == 0 else [''] * len(own))
        axes.set_title(PICTURES[name].title)
        axes.set_xlabel('AP (dotted: mean without attention)')
        axes.grid(axis='x', alpha=0.3)
    figure.suptitle('AP of each seed, their mean and standard deviation')
    figure.savefig(str(path))

"""The page and the plots of the ablation study, from its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from study import Comparison, compared, draw_seeds, plus_minus

from .corruptions import CLEAN, CORRUPTIONS
from .networks import CBAM, CORRUPTED, NONE, REDUCTION, ROWS, SE, STEM_WIDTH, WIDEN, WIDER
from .pictures import Pictures

_TEXT = """\
# Ablation on {title}

{training:,} training and {validation:,} validation pictures: {pictures}. Every network is a `cifar_` ResNet-18
of {widen} of the width behind a stem of {stem_width} channels, with `{reduction}` where nothing else is said,
trained from random weights for {epochs} with one recipe. Validation after the last epoch, mean and standard
deviation over {seeds} seeds (0 to {last}).

| network | parameters | top-1 | loss | CPU seconds | ms a picture |
|---|---|---|---|---|---|
{table}

![Top-1 of every seed]({stem}.png)

CPU seconds are those of a whole run of `cbam train`, the median of the runs, on cores that other programs use as well.
The time of a picture is the median of a forward pass of a batch of 100 on one thread, all networks after another on the
same machine.

## Differences

The mean over the seeds of the difference of top-1 from another network with the same seed, in percentage points, its
95 % confidence interval by Student's t distribution of {freedom} degrees of freedom, and the p-value of the paired t
test, corrected for all comparisons of the table by Holm's method. In bold: a corrected p-value below 0.05.

| minus "{none}" | difference | corrected p |
|---|---|---|
{against_none}

| minus "{cbam}" | difference | corrected p |
|---|---|---|
{against_cbam}
{corrupted}
## Reading

- {found}
- {limits} The seeds tell how training varies, not how other pictures would.
- The recipe is the same for all networks and was not tuned for any. What the same short training gives is compared, not
  what each network reaches in the end.
- Nothing here says how the networks rank on ImageNet: the pictures are small, and so are the maps of the spatial gate.

## How it was run

`scripts/ablation {options}`, {date}, Python {python}, mxnet 1.9.1, NumPy {numpy}, one thread a run:
`cbam train --network NAME {recipe}`.

{networks}
"""
_CORRUPTED = """
## Corrupted pictures and calibration

The networks of all seeds on the first validation pictures, corrupted at five strengths: top-1, the mean over the
strengths, and its difference from "{none}" in percentage points with the corrected p-value. The expected calibration
error (ECE, 15 bins) is of the pictures as they are.

| network | {titles} | ECE |
|---|{lines}---|
{table}

{differences}

{kinds}

![Top-1 at each strength](ablation_{data}_corrupted.png)
"""


class _Outcome(NamedTuple):
    """The runs of a network, in the order of the seeds."""

    name: str
    runs: List[Dict[str, Any]]

    def values(self, figure: str) -> List[float]:
        return [run[figure] for run in self.runs]

    def corrupted(self, kind: str) -> List[float]:
        """Top-1 of each seed, the mean over the strengths."""
        numbers = range(1, 1 + len(CORRUPTIONS[kind].strengths))
        return [float(np.mean([run['corrupted'][f'{kind}-{n}']['top1'] for n in numbers])) for run in self.runs]


def _outcomes(results: Dict[str, Any]) -> Dict[str, _Outcome]:
    """The networks that have runs, in the order of the tables."""
    found = {row.name: [run for run in results['runs'] if run['network'] == row.name] for row in ROWS}
    return {
        name: _Outcome(name, sorted(runs, key=lambda run: run['seed'])) for name, runs in found.items() if len(runs) > 1
    }


def text(results: Dict[str, Any], pictures: Pictures, stem: str) -> str:
    """The page, in Markdown.

    Args:
        results: the content of the file of figures, see ``scripts/ablation.py``.
        pictures: the data set.
        stem: the name of the page and of its plot, without the ending.
    """
    outcomes = _outcomes(results)
    seeds = len(outcomes[NONE].runs)
    epochs = results['recipe'].rsplit('--epochs ', 1)[1]
    against_none = _against(outcomes, NONE, [row.name for row in ROWS])
    names = [row.name for row in ROWS]
    against_cbam = _against(outcomes, CBAM, [WIDER, SE, *names[names.index(CBAM) + 1 :]])
    return _TEXT.format(
        title=results['data'].capitalize().replace('Fashion', 'Fashion-MNIST'),
        training=pictures.records[0],
        validation=pictures.records[1],
        pictures=pictures.title,
        widen=WIDEN,
        stem_width=STEM_WIDTH,
        reduction=REDUCTION,
        epochs='one epoch' if epochs == '1' else f'{epochs} epochs',
        seeds=seeds,
        last=seeds - 1,
        freedom=seeds - 1,
        table='\n'.join(_table(outcomes.values(), results)),
        stem=stem,
        none=NONE,
        cbam=CBAM,
        against_none='\n'.join(map(_line, against_none)),
        against_cbam='\n'.join(map(_line, against_cbam)),
        corrupted=_corrupted(outcomes, results['data']),
        found=_found(against_none, against_cbam),
        limits=pictures.limits,
        options=f'--data {results["data"]} --seeds {seeds}',
        networks='\n'.join(f'- {row.name}: `{" ".join(row.flags[1:])}`' for row in ROWS),
        **{name: results[name] for name in ('recipe', 'date', 'python', 'numpy')},
    )


def _table(outcomes: Sequence[_Outcome], results: Dict[str, Any]) -> Iterator[str]:
    for outcome in outcomes:
        seconds = [run['cpu_seconds'] for run in outcome.runs if run['cpu_seconds'] is not None]
        cells = [
            outcome.name,
            f'{results["parameters"][outcome.name]:,}',
            plus_minus(outcome.values('top1')),
            plus_minus(outcome.values('loss')),
            f'{np.median(seconds):.0f}' if seconds else '-',
            f'{results["milliseconds"][outcome.name]:.2f}' if 'milliseconds' in results else '-',
        ]
        yield f'| {" | ".join(cells)} |'


def _against(outcomes: Dict[str, _Outcome], base: str, names: Sequence[str]) -> List[Tuple[str, Comparison]]:
    """The comparisons of networks with one, in percentage points of top-1, corrected for their number."""
    names = [name for name in names if name in outcomes and name != base]
    values = [100 * np.array(outcomes[name].values('top1')) for name in names]
    return list(zip(names, compared(values, 100 * np.array(outcomes[base].values('top1')))))


def _line(found: Tuple[str, Comparison]) -> str:
    name, comparison = found
    return f'| {name} | {_cell(comparison)} | {_p(comparison.p)} |'


def _p(value: float) -> str:
    return f'{value:.3f}' if value >= 0.001 else 'below 0.001'


def _cell(comparison: Comparison) -> str:
    mean, low, high = comparison.difference
    cell = f'{mean:+.2f} ({low:+.2f} to {high:+.2f})'
    return f'**{cell}**' if comparison.p < 0.05 else cell


def _found(*tables: List[Tuple[str, Comparison]]) -> str:
    """The comparisons that are significant after the correction."""
    listed = [
        '; '.join(f'{name} {comparison.difference.mean:+.2f}' for name, comparison in table if comparison.p < 0.05)
        for table in tables
    ]
    return (
        f'Significant after the correction, in points of top-1: from "{NONE}": {listed[0] or "none"}; from "{CBAM}": '
        f'{listed[1] or "none"}. For all others, the seeds cannot tell the two networks apart.'
    )


def _corrupted(outcomes: Dict[str, _Outcome], data: str) -> str:
    """The section of corrupted pictures; empty where there are none."""
    own = [outcomes[name] for name in CORRUPTED if name in outcomes and 'corrupted' in outcomes[name].runs[0]]
    if not own or own[0].name != NONE:
        return ''
    table = [
        ' | '.join(
            [
                f'| {each.name}',
                *(plus_minus(each.corrupted(kind), 3) for kind in CORRUPTIONS),
                f'{_calibration(each)} |',
            ]
        )
        for each in own
    ]
    rows = [
        (each.name, kind, 100 * np.array(each.corrupted(kind)), 100 * np.array(own[0].corrupted(kind)))
        for each in own[1:]
        for kind in CORRUPTIONS
    ]
    comparisons = compared([values - base for *_, values, base in rows], np.zeros(len(rows[0][2])))
    cells = {(name, kind): found for (name, kind, *_), found in zip(rows, comparisons)}
    differences = [
        f'| minus "{NONE}" | {" | ".join(CORRUPTIONS)} |',
        '|---' * (1 + len(CORRUPTIONS)) + '|',
        *(
            f'| {each.name} | ' + ' | '.join(f'{_cell(cells[each.name, kind])}' for kind in CORRUPTIONS) + ' |'
            for each in own[1:]
        ),
    ]
    kinds = '\n'.join(
        f'- {name}: {corruption.unit} {", ".join(f"{value:g}" for value in corruption.strengths)}'
        for name, corruption in CORRUPTIONS.items()
    )
    return _CORRUPTED.format(
        none=NONE, titles=' | '.join(CORRUPTIONS), lines='---|' * len(CORRUPTIONS), table='\n'.join(table),
        differences='\n'.join(differences), kinds=kinds, data=data,
    )  # fmt: skip


def _calibration(outcome: _Outcome) -> str:
    return plus_minus([run['corrupted'][CLEAN]['ece'] for run in outcome.runs])


def draw(results: Dict[str, Any], folder: Path) -> None:
    """Draw the top-1 of every seed, and where there are corrupted pictures their top-1 at each strength."""
    from matplotlib.figure import Figure

    outcomes = list(_outcomes(results).values())
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(outcomes)), dpi=120, layout='constrained')
    axes = figure.subplots()
    places = len(outcomes) - 1 - np.arange(len(outcomes))
    draw_seeds(axes, places, [outcome.values('top1') for outcome in outcomes])
    axes.axvline(np.mean(outcomes[0].values('top1')), color='0.4', linestyle=':')
    axes.set_yticks(places, [outcome.name for outcome in outcomes])
    figure.supxlabel(
        f'top-1 of each seed, their mean and standard deviation (dotted: mean of "{NONE}")', fontsize='medium'
    )
    axes.grid(axis='x', alpha=0.3)
    figure.savefig(str(folder / f'ablation_{results["data"]}.png'))
    _draw_corrupted([each for each in outcomes if 'corrupted' in each.runs[0]], folder, results['data'])


def _draw_corrupted(outcomes: List[_Outcome], folder: Path, data: str) -> Optional[Path]:
    from matplotlib.figure import Figure

    if not outcomes:
        return None
    figure = Figure(figsize=(11, 3.8), dpi=120, layout='constrained')
    panels = figure.subplots(1, len(CORRUPTIONS), sharey=True)
    for axes, (kind, corruption) in zip(panels, CORRUPTIONS.items()):
        for outcome in outcomes:
            numbers = [CLEAN, *(f'{kind}-{number}' for number in range(1, 1 + len(corruption.strengths)))]
            means = [np.mean([run['corrupted'][name]['top1'] for run in outcome.runs]) for name in numbers]
            axes.plot(range(len(numbers)), means, '.-', label=outcome.name)
        axes.set_xticks(range(1 + len(corruption.strengths)), ['none', *map('{:g}'.format, corruption.strengths)])
        axes.set_title(kind)
        axes.set_xlabel(corruption.unit)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel('top-1, mean of the seeds')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside lower center', ncol=len(outcomes))
    path = folder / f'ablation_{data}_corrupted.png'
    figure.savefig(str(path))
    return path

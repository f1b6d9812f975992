"""The table and the plot of scripts/localization.py."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence

import numpy as np
from study import draw_seeds, plus_minus

_MAIN = 'gradcam layer2'
_COLUMNS = ('pointing', 'energy', 'lift', 'iou')
_COLORS = ('#2171b5', '#e6550d', '#31a354')
_TEXT = """\
# Localization study

{images} training and {records} validation images of `cbam data shapes`: 64 x 64 pixels, one shape of {classes} classes
among distractors that belong to no class, on clutter; the mask of the shape is known. A ResNet-18 of a quarter of the
width (with `reduction=4` for SE and CBAM) is trained from random weights. Mean and standard deviation over {seeds}
seeds, of the weights with each run's best top-1.

* **pointing**: the pointing game, the share of the images with the largest value on the object.
* **energy**: share of the sum of the map inside the object, every map normalized to 0..1; **lift** is energy
  divided by the objects' share of the area: a map that does not depend on the image has 1.
* **IoU** of the object and of the pixels above a threshold, the best one for all images together.

Grad-CAM explains the class of the label. The baselines ignore the image: one value everywhere, 8 x 8 random values, and
a Gaussian in the center, where objects that lie wholly inside the image are more often.

## Grad-CAM after stage 2 (8 x 8 cells)

| network | parameters | top-1 | pointing | energy | lift | IoU |
|---|---|---|---|---|---|---|
{main}

![Pointing game of every seed](localization.png)

{verdicts}

## Spatial attention

| network | gate of | pointing | energy | lift | IoU |
|---|---|---|---|---|---|
{gates}

A lift below 1 is a gate that is *lower* on the object than elsewhere: it attenuates the object, which later layers can
use as well as the opposite. Of the 7 x 7 convolution's input, most is padding where maps have 4 x 4 cells (layer3)
or 2 x 2 (layer4). Gates in parallel are the mean over the channels. With a lift above 1.1 in every seed (higher), below
0.9 in every seed (lower), or above in some and below in others (either):

{directions}

## Grad-CAM and Grad-CAM++ of every stage

After stage 4, the usual place, a map has 2 x 2 cells, and after stage 3 it has 4 x 4: compare them with the Gaussian
in the center.

| network | map | pointing | energy | lift | IoU |
|---|---|---|---|---|---|
{cams}

## Alignment of the cells of a map

Above, the cells of a map divide the image evenly, as maps are usually drawn over images. The receptive fields of a
strided 3 x 3 convolution are centered on the first of two pixels, half a cell further up and left. With maps placed
there (`--align fields`), IoU, means over the networks of seed 0:

| map | even | fields |
|---|---|---|
{alignments}

## Limits

Differences within two standard deviations mean nothing. The images are drawn, the networks are small and not trained to
convergence, and their maps are coarse. Nothing here was measured on ImageNet or with published weights.

`scripts/localization`, {date}: `cbam train {recipe}`, options `widen=0.25` and `reduction=4`;
`cbam explain --score --layer {layers}`. Python {python}, mxnet 1.9.1, OpenCV {opencv}, NumPy {numpy}, one thread a run.
"""


class Outcome(NamedTuple):
    """The scores of a network, for all seeds.

    Attributes:
        name: name in the tables.
        parameters: number of parameters of the network.
        runs: for each seed, alignment -> value of ``cbam explain --score --json``.
    """

    name: str
    parameters: int
    runs: List[Dict[str, dict]]

    def top1(self) -> List[float]:
        """The accuracy of every seed."""
        return [run['even']['top1'] for run in self.runs]

    def maps(self, kind: str = '') -> List[str]:
        """The names of the maps that begin with ``kind``."""
        return [scores['name'] for scores in self.runs[0]['even']['maps'] if scores['name'].startswith(kind)]

    def values(self, name: str, column: str, align: str = 'even') -> List[float]:
        """A score of a map, for every seed that was scored with this alignment."""
        runs = [run[align]['maps'] for run in self.runs if align in run]
        return [scores[column] for run in runs for scores in run if scores['name'] == name]

    def cells(self, name: str) -> str:
        """The scores of a map, as cells of a table."""
        return ' | '.join(plus_minus(self.values(name, column), 3) for column in _COLUMNS)


def text(outcomes: Sequence[Outcome], images: int, classes: int, recipe: Sequence[str], layers: Sequence[str]) -> str:
    """The report, in Markdown."""
    import cv2

    first = outcomes[0].runs[0]['even']
    lines = {
        'main': _main(outcomes, first['chance']),
        'verdicts': _verdicts(outcomes),
        'gates': _maps(outcomes, 'spatial'),
        'directions': _directions(outcomes),
        'cams': _maps(outcomes, 'gradcam'),
        'alignments': _alignments(outcomes),
    }
    return _TEXT.format(
        images=images,
        records=first['records'],
        classes=classes,
        seeds=len(outcomes[0].runs),
        recipe=' '.join(recipe),
        layers=','.join(layers),
        date=datetime.date.today(),
        python=platform.python_version(),
        opencv=cv2.__version__,
        numpy=np.__version__,
        **{name: '\n'.join(some) for name, some in lines.items()},
    )


def _main(outcomes: Sequence[Outcome], baselines: Sequence[dict]) -> Iterator[str]:
    for outcome in outcomes:
        yield f'| {outcome.name} | {outcome.parameters:,} | {plus_minus(outcome.top1(), 3)} | {outcome.cells(_MAIN)} |'
    for scores in baselines:
        yield f'| baseline: {scores["name"]} | | | {" | ".join(f"{scores[column]:.3f}" for column in _COLUMNS)} |'


def _maps(outcomes: Sequence[Outcome], kind: str) -> Iterator[str]:
    for outcome in outcomes:
        for name in outcome.maps(kind):
            yield f'| {outcome.name} | {_short(name)} | {outcome.cells(name)} |'


def _short(name: str) -> str:
    return name.replace('spatial ', '').replace('.attention', '')


def _verdicts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How each network differs from the one without attention, as text."""
    plain, *others = outcomes
    yield f'Compared with {plain.name}, where the means differ by more than twice the larger standard deviation:'
    yield ''
    for outcome in others:
        found = [
            f'{name} {np.mean(values(outcome)) - np.mean(values(plain)):+.3f}'
            for name, values in _COMPARED.items()
            if _apart(values(outcome), values(plain))
        ]
        yield f'* {outcome.name}: {", ".join(found) if found else "nothing"}'


def _directions(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Which gates are higher and which are lower on the object, as text."""
    for outcome in outcomes:
        lifts = {_short(name): outcome.values(name, 'lift') for name in outcome.maps('spatial')}
        found = {
            direction: [gate for gate, lift in lifts.items() if applies(min(lift), max(lift))]
            for direction, applies in _DIRECTIONS.items()
        }
        if lifts:
            words = '; '.join(f'{word} at {", ".join(gates) if gates else "none"}' for word, gates in found.items())
            yield f'* {outcome.name}: {words}'


_DIRECTIONS: Dict[str, Callable[[float, float], bool]] = {
    'higher': lambda least, most: least > 1.1,
    'lower': lambda least, most: most < 0.9,
    'either': lambda least, most: least < 0.9 and most > 1.1,
}


_COMPARED: Dict[str, Callable[[Outcome], List[float]]] = {
    'top-1': Outcome.top1,
    'pointing': lambda outcome: outcome.values(_MAIN, 'pointing'),
    'energy': lambda outcome: outcome.values(_MAIN, 'energy'),
    'IoU': lambda outcome: outcome.values(_MAIN, 'iou'),
}


def _apart(first: Sequence[float], second: Sequence[float]) -> bool:
    deviation = max(np.std(first, ddof=1), np.std(second, ddof=1))
    return bool(abs(np.mean(first) - np.mean(second)) > 2 * deviation)


def _alignments(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The IoU with both alignments, over all networks that have a map, of the first seed."""
    for name in dict.fromkeys(name for outcome in reversed(outcomes) for name in outcome.maps()):
        even, fields = (
            np.mean([value for outcome in outcomes for value in outcome.values(name, 'iou', align)[:1]])
            for align in ('even', 'fields')
        )
        yield f'| {_short(name)} | {even:.3f} | {fields:.3f} |'


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Two panels: Grad-CAM of all networks after three stages, and the spatial gates of the orders."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.4), dpi=120, layout='constrained')
    left, right = figure.subplots(1, 2)
    cams = outcomes[0].maps('gradcam ')
    _panel(
        left,
        [outcome.name.replace(', ', ',\n') for outcome in outcomes],
        [(cam, [(o, cam) for o in outcomes]) for cam in cams],
    )
    left.set_title('Grad-CAM')
    gated = [outcome for outcome in outcomes if outcome.maps('spatial')]
    gates = gated[0].maps('spatial')
    _panel(right, [_short(gate) for gate in gates], [(o.name, [(o, gate) for gate in gates]) for o in gated])
    right.set_title('Spatial attention')
    figure.suptitle('Pointing game: each seed, their mean and standard deviation')
    for axes in (left, right):
        for scores, style in zip(outcomes[0].runs[0]['even']['chance'], (':', None, '--')):
            if style:
                axes.axvline(scores['pointing'], color='0.4', linestyle=style, label=f'baseline: {scores["name"]}')
        axes.set_xlabel('pointing game')
        axes.set_xlim(-0.02, 1)
        axes.grid(axis='x', alpha=0.3)
        axes.legend(fontsize=8, loc='upper center', bbox_to_anchor=(0.5, -0.12), ncol=2)
    figure.savefig(str(path))


def _panel(axes, rows: Sequence[str], series) -> None:
    """Draw rows from top to bottom; a series has a label, and an outcome and the name of a map for each row."""
    places = len(rows) - 1 - np.arange(len(rows))
    for number, ((label, pairs), color) in enumerate(zip(series, _COLORS)):
        values = [outcome.values(name, 'pointing') for outcome, name in pairs]
        draw_seeds(axes, places + 0.2 * (1 - number), values, color, label)
    axes.set_yticks(places, rows)

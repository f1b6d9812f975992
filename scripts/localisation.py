"""Does attention look at the object? Plain, SE and CBAM networks on shapes whose masks are known, several seeds each.

Trains narrow ResNets on ``cbam data shapes``, scores their maps with ``cbam explain --score``, and writes
``docs/localisation.md`` and ``docs/localisation.png``. What is trained or scored is not done again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import click
from localisation_report import Outcome, draw, text
from study import CHANNEL_ONLY, ROWS, Row, call, flags, of_every_seed, parameters, study_options, train

from gluon_cbam.common.files import write_json

WIDTH = 'widen=0.25'
REDUCTION = 'reduction=4'  # of 16 channels in the first stage, 16 would leave one
CLASSES, SIZE = 6, 64
LAYERS = ('layer2', 'layer3', 'layer4')
RECIPE = {
    'image-size': SIZE,
    'crop-ratio': 1,
    'augment': 'cifar',
    'batch-size': 32,
    'lr': 0.05,
    'lr-mode': 'cosine',
    'warmup-epochs': 0.25,
    'wd': 5e-4,
}


def _narrow(row: Row) -> Row:
    return row._replace(options=(*row.options, WIDTH, *((REDUCTION,) if row.network != 'resnet18' else ())))


NETWORKS = tuple(_narrow(row) for row in ROWS if row != CHANNEL_ONLY)


@click.command()
@study_options('localisation', epochs=6, images=5000)
def main(seeds: int, epochs: int, images: int, work: Path, docs: Path, jobs: int) -> None:
    """Train every network with every seed, score where it looks, and write the comparison."""
    if not (work / 'data' / 'classes.txt').exists():
        call('data', 'shapes', str(work / 'data'), '--train', str(images), '--classes', str(CLASSES))
    recipe = flags({**RECIPE, 'epochs': epochs})

    def scored(row: Row, seed: int) -> Dict[str, dict]:
        run = train(row, seed, work, recipe)
        aligns = ('even',) if seed else ('even', 'fields')
        return {align: _score(row, run, work / 'data' / 'val.rec', align) for align in aligns}

    runs = of_every_seed(NETWORKS, seeds, jobs, scored)
    outcomes = [Outcome(row.name, parameters(row, CLASSES, SIZE), each) for row, each in zip(NETWORKS, runs)]
    docs.mkdir(exist_ok=True)
    report = text(outcomes, images, CLASSES, recipe, LAYERS)
    (docs / 'localisation.md').write_text(report, encoding='utf-8')
    draw(outcomes, docs / 'localisation.png')
    click.echo(report)


def _score(row: Row, run: Path, data: Path, align: str) -> dict:
    """What ``cbam explain --score`` says of a run."""
    kept = run / f'score-{align}.json'
    if not kept.exists():
        maps = ('--data-val', str(data), '--layer', ','.join(LAYERS), '--align', align)
        found = call('explain', '--score', '--network', row.network, '--params', str(run), *maps)
        write_json(kept, found)
    return json.loads(kept.read_text(encoding='utf-8'))


if __name__ == '__main__':
    main()

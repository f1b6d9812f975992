"""Localization study: localization metrics of plain, SE and CBAM networks on shapes with known masks.

Trains narrow ResNets with several seeds on ``cbam data shapes``, scores their maps with ``cbam explain --score``, and
writes ``docs/localization.md`` and ``docs/localization.png``. Runs and scores that exist are not repeated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import click
from localization_report import Outcome, draw, text
from study import Row, call, flags, for_every_seed, parameters, study_options, train

from gluon_cbam.common.files import write_json

WIDTH = 'widen=0.25'
REDUCTION = 'reduction=4'  # the first stage has 16 channels: the default of 16 would leave one
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


NETWORKS = (
    Row('ResNet-18', 'resnet18', (WIDTH,)),
    Row('SE', 'se_resnet18', (WIDTH, REDUCTION)),
    Row('CBAM, channel then spatial (the paper)', 'cbam_resnet18', (WIDTH, REDUCTION)),
    Row('CBAM, spatial then channel', 'cbam_resnet18', ('order=spatial_channel', WIDTH, REDUCTION)),
    Row('CBAM, both in parallel', 'cbam_resnet18', ('order=parallel', WIDTH, REDUCTION)),
)


@click.command()
@study_options('localization', epochs=6, images=5000)
def main(seeds: int, epochs: int, images: int, work: Path, docs: Path, jobs: int) -> None:
    """Train every network with every seed, score its maps, and write the comparison."""
    if not (work / 'data' / 'classes.txt').exists():
        call('data', 'shapes', str(work / 'data'), '--train', str(images), '--classes', str(CLASSES))
    recipe = flags({**RECIPE, 'epochs': epochs})

    def scored(row: Row, seed: int) -> Dict[str, dict]:
        run = train(row, seed, work, recipe)
        aligns = ('even',) if seed else ('even', 'fields')
        return {align: _score(row, run, work / 'data' / 'val.rec', align) for align in aligns}

    runs = for_every_seed(NETWORKS, seeds, jobs, scored)
    outcomes = [Outcome(row.name, parameters(row, CLASSES, SIZE), each) for row, each in zip(NETWORKS, runs)]
    docs.mkdir(exist_ok=True)
    report = text(outcomes, images, CLASSES, recipe, LAYERS)
    (docs / 'localization.md').write_text(report, encoding='utf-8')
    draw(outcomes, docs / 'localization.png')
    click.echo(report)


def _score(row: Row, run: Path, data: Path, align: str) -> dict:
    """The value of ``cbam explain --score`` for a run."""
    cached = run / f'score-{align}.json'
    if not cached.exists():
        maps = ('--data-val', str(data), '--layer', ','.join(LAYERS), '--align', align)
        found = call('explain', '--score', '--network', row.network, '--params', str(run), *maps)
        write_json(cached, found)
    return json.loads(cached.read_text(encoding='utf-8'))


if __name__ == '__main__':
    main()

"""Study of detection: SSD on a narrow ResNet without attention, with SE, and with CBAM in backbone, heads or both.

Trains on drawn scenes (``cbam data shapes --boxes``, other scenes for every seed), then from these weights on aerial
pictures of trees (``cbam data trees``, downloaded from PyPI), and writes ``docs/detection.json``, and from it
``docs/detection.md`` and ``docs/detection.png``. A finished run is not repeated; one that was stopped is resumed.
"""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any, Dict, List, Optional

import click
import numpy as np
from detection_studies.pictures import PICTURES
from detection_studies.report import draw, text
from study import Row, final, flags, for_every_seed, measured_call, parameters, study_options

from gluon_cbam.common.files import write_json

NETWORK = 'ssd_300'
BACKBONE = ('backbone=resnet18', 'widen=0.25', 'anchor_sizes=[40,70,110,150,200,260,315]')
REDUCTION = 'reduction=4'  # the first stage has 16 channels: the default of 16 would leave one
RECIPE = {
    'task': 'detection',
    'optimizer': 'adamw',
    'wd': 0.01,
    'lr-mode': 'cosine',
    'warmup-epochs': 0.5,
    'data-nthreads': 1,
}


def _row(name: str, *attention: str) -> Row:
    return Row(name, NETWORK, (*BACKBONE, *attention, *([REDUCTION] if attention else [])))


ROWS = (
    _row('no attention'),
    _row('SE in the backbone', 'attention=se', 'attention_in=backbone'),
    _row('CBAM in the backbone', 'attention=cbam', 'attention_in=backbone'),
    _row('CBAM in the heads', 'attention=cbam', 'attention_in=heads'),
    _row('CBAM in the heads, gates from 1', 'attention=cbam', 'attention_in=heads', 'gate=identity'),
    _row('CBAM in both', 'attention=cbam', 'attention_in=both'),
)
"""The networks; the first is the one that the others are compared with."""


@click.command()
@study_options('detection', epochs=None, images=3000, seeds=5, what='drawn scenes for training')
@click.option('--trees/--no-trees', default=True, show_default=True, help='also train on the trees')
@click.option('--page-only', is_flag=True, help='write page and plot anew, from detection.json')
def main(
    seeds: int, epochs: Optional[int], images: int, work: Path, docs: Path, jobs: int, trees: bool, page_only: bool
) -> None:
    """Train every network with every seed on the scenes and then on the trees, and write the comparison."""
    file = docs / 'detection.json'
    if not page_only:
        docs.mkdir(parents=True, exist_ok=True)
        names = [name for name in PICTURES if trees or name != 'trees']
        lengths = {name: epochs or PICTURES[name].epochs for name in names}
        options = [f'--seeds {seeds}', f'--images {images}', *([f'--epochs {epochs}'] if epochs else [])]
        results = _results(seeds, lengths, images, work, jobs)
        write_json(file, {'options': [*options, *([] if trees else ['--no-trees'])], **results})
    results = json.loads(file.read_text(encoding='utf-8'))
    (docs / 'detection.md').write_text(text(results), encoding='utf-8')
    draw(results, docs / 'detection.png')
    click.echo((docs / 'detection.md').read_text(encoding='utf-8'))


def _results(seeds: int, epochs: Dict[str, int], images: int, work: Path, jobs: int) -> Dict[str, Any]:
    """Everything that the page says; ``epochs`` has the data sets in the order of training."""
    for name in epochs:
        for seed in range(seeds):
            PICTURES[name].write(work / name, seed, images)

    def run(row: Row, seed: int) -> List[Dict[str, Any]]:
        return [_run(row, seed, name, epochs, images, work) for name in epochs]

    runs = for_every_seed(ROWS, seeds, jobs, run)
    return {
        'date': str(datetime.date.today()),
        'python': platform.python_version(),
        'numpy': np.__version__,
        'seeds': seeds,
        'images': images,
        'epochs': epochs,
        'network': ' '.join(ROWS[0].flags),
        'reduction': REDUCTION,
        'recipe': ' '.join(flags(RECIPE)),
        'settings': {name: ' '.join(flags(PICTURES[name].settings)) for name in epochs},
        'parameters': {
            name: {row.name: parameters(row, PICTURES[name].classes, 300) for row in ROWS} for name in epochs
        },
        'runs': [each for of_row in runs for of_seed in of_row for each in of_seed],
        'twice_as_long': [_run(ROWS[0], 0, name, epochs, images, work, longer=2) for name in epochs],
    }


def _run(
    row: Row, seed: int, name: str, epochs: Dict[str, int], images: int, work: Path, longer: int = 1
) -> Dict[str, Any]:
    """The scores of a detector after the last epoch; it is trained unless it is finished.

    Args:
        row: the network.
        seed: the seed.
        name: a key of PICTURES.
        epochs: the epochs on each data set.
        images: the number of drawn pictures.
        work: the folder of the study.
        longer: the factor of the epochs on this data set.
    """
    output = _folder(row, seed, name, epochs[name] * longer, images, work)
    if not (output / 'summary.json').exists():
        pictures = PICTURES[name]
        settings: Dict[str, object] = {**RECIPE, **pictures.settings, 'epochs': epochs[name] * longer, 'seed': seed}
        if pictures.starts_from:
            first = pictures.starts_from
            settings['pretrained'] = _folder(row, seed, first, epochs[first], images, work)
        _train(row, settings, pictures.write(work / name, seed, images), output)
    scores = final(output)
    click.echo(f'{name} seed {seed} {row.name}: AP {scores["ap"]:.4f}', err=True)
    time = output / 'cpu_seconds.json'
    return {
        'pictures': name,
        'network': row.name,
        'epochs': epochs[name] * longer,
        'seed': seed,
        'ap': scores['ap'],
        'ap50': scores['ap50'],
        'voc07': scores['voc07'],
        'cpu_seconds': json.loads(time.read_text(encoding='utf-8')) if time.exists() else None,
    }


def _folder(row: Row, seed: int, name: str, epochs: int, images: int, work: Path) -> Path:
    """The folder of a run."""
    return work / name / 'runs' / f'{row.name.replace(" ", "-")}-{images}-images-{epochs}-epochs-seed{seed}'


def _train(row: Row, settings: Dict[str, object], data: Path, output: Path) -> None:
    """Train a detector; the CPU time is kept of a run that was not stopped in between."""
    resumed = output.exists()
    _, seconds = measured_call(
        'train', *row.flags, *flags(settings), '--resume', 'auto', '--data-train', str(data / 'train.rec'),
        '--data-val', str(data / 'val.rec'), '--output', str(output),
    )  # fmt: skip
    if not resumed:
        write_json(output / 'cpu_seconds.json', round(seconds, 1))


if __name__ == '__main__':
    main()

"""Every detector once, from COCO's JSON to AP, on drawn scenes and on aerial pictures of trees.

The scenes (``cbam data shapes --boxes``) and the trees (``cbam data trees``, downloaded from PyPI) are converted to
COCO's JSON, packed from it and trained on, the trees from the weights of the scenes. The AP that the run states is
compared with that of pycocotools on the results that ``cbam validate --save-results`` writes. The figures go to
``docs/detectors.json``, and from it to ``docs/detectors.md``. A finished run is not repeated; one that was stopped is
resumed.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import platform
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import click
import numpy as np
from study import CORES, ROOT, Row, call, flags, for_every_seed, measured_call, parameters

from gluon_cbam.common.files import write_json

BACKBONE = ('backbone=resnet18', 'widen=0.25', 'attention=cbam', 'attention_in=backbone', 'reduction=4')
RECIPE = {
    'task': 'detection',
    'optimizer': 'adamw',
    'wd': 0.01,
    'lr-mode': 'cosine',
    'warmup-epochs': 0.5,
    'data-nthreads': 1,
    'augment': 'flip',
    'seed': 0,
}
_REGIONS = ('region_channels=32', 'proposals=60', 'training_proposals=120', 'use_global_stats=false')


def _row(network: str, *options: str) -> Row:
    return Row(network, network, (*BACKBONE, *options))


_SSD_SIZES = 'anchor_sizes=[40,70,110,150,200,260,315]'
ROWS = (
    _row('ssd_300', _SSD_SIZES),
    _row('stairnet_300', _SSD_SIZES),
    _row('centernet', 'dilated=true', 'up_channels=[64,32,16]'),
    _row(
        'yolo3',
        'head_channels=[128,64,48]',
        'anchor_sizes=[10,10,14,9,9,14,16,16,22,15,15,22,26,26,34,24,24,34]',
    ),
    _row('faster_rcnn_fpn', 'pyramid_channels=32', 'head_channels=64', *_REGIONS, 'anchor_sizes=[8,16,24,32,48]'),
    _row('faster_rcnn_c4', *_REGIONS, 'samples=16', 'anchor_sizes=[8,16,24,32,48]'),
)
"""The detectors, with the options that make them small enough to train on a processor in minutes."""


class Pictures(NamedTuple):
    """A data set: its title, how its records are made, its number of classes, and settings of its runs."""

    title: str
    source: Tuple[str, ...]
    classes: int
    settings: Dict[str, object]


PICTURES = {
    'scenes': Pictures(
        'Drawn scenes',
        ('shapes', '--boxes', '--size', '64', '--train', '1500', '--val', '150', '--classes', '3', '--seed', '0'),
        3,
        {'image-size': 64, 'batch-size': 16, 'lr': 0.002, 'epochs': 6},
    ),
    'trees': Pictures('Trees', ('trees',), 1, {'image-size': 192, 'batch-size': 4, 'lr': 0.002, 'epochs': 24}),
}
"""Key -> data set, in the order of training."""


@click.command()
@click.option('--work', default=ROOT / 'runs' / 'detectors', type=click.Path(path_type=Path), help='folder of the runs')
@click.option('--docs', default=ROOT / 'docs', type=click.Path(path_type=Path), help='folder of the page')
@click.option('--jobs', default=CORES, show_default=True, help='parallel runs, one core each')
@click.option('--page-only', is_flag=True, help='write the page anew, from detectors.json')
def main(work: Path, docs: Path, jobs: int, page_only: bool) -> None:
    """Train every detector on the scenes and then on the trees, and write the page."""
    file = docs / 'detectors.json'
    if not page_only:
        for name, pictures in PICTURES.items():
            _pack(work / name, pictures)
        runs = for_every_seed(ROWS, 1, jobs, lambda row, _: [_run(row, name, work) for name in PICTURES])
        write_json(
            file,
            {
                'date': str(datetime.date.today()),
                'python': platform.python_version(),
                'numpy': np.__version__,
                'runs': [run for of_row in runs for of_names in of_row for run in of_names],
            },
        )
    (docs / 'detectors.md').write_text(_text(json.loads(file.read_text(encoding='utf-8'))), encoding='utf-8')
    click.echo((docs / 'detectors.md').read_text(encoding='utf-8'))


def _pack(folder: Path, pictures: Pictures) -> None:
    """Write the records of a data set, made from COCO's JSON."""
    if (folder / 'records' / 'classes.txt').exists():
        return
    kind, *options = pictures.source
    call('data', kind, str(folder / 'first'), '--force', *options)
    call('data', 'convert', str(folder / 'first'), str(folder / 'coco'), '--to', 'coco')
    call('data', 'pack', str(folder / 'coco'), str(folder / 'records'), '--force')


def _run(row: Row, name: str, work: Path) -> Dict[str, Any]:
    """Train a detector, unless that is done, and score it; the figures of a row of the page."""
    output, data = work / name / 'runs' / row.name, work / name / 'records'
    if not (output / 'summary.json').exists():
        settings: Dict[str, object] = {**RECIPE, **PICTURES[name].settings}
        if name == 'trees':
            settings['pretrained'] = work / 'scenes' / 'runs' / row.name
        _, seconds = measured_call(
            'train', *row.flags, *flags(settings), '--resume', 'auto', '--data-train', str(data / 'train.rec'),
            '--data-val', str(data / 'val.rec'), '--output', str(output),
        )  # fmt: skip
        write_json(output / 'cpu_seconds.json', round(seconds, 1))
    results = output / 'results.json'
    scores = _validated(output, data / 'val.rec', '--save-results', str(results), '--force')
    return {
        'pictures': name,
        'network': row.network,
        'parameters': parameters(row, PICTURES[name].classes, int(str(PICTURES[name].settings['image-size']))),
        **{figure: scores[figure] for figure in ('ap', 'ap50', 'voc07')},
        'training_ap': _validated(output, data / 'train.rec')['ap'],
        'difference': abs(_pycocotools_ap(results, work / name / 'coco') - scores['ap']),
        'cpu_seconds': json.loads((output / 'cpu_seconds.json').read_text(encoding='utf-8')),
    }


def _validated(run: Path, data: Path, *options: str) -> Dict[str, Any]:
    """The figures of the parameters with the best AP of a run."""
    return call('validate', '--params', str(run), '--data-val', str(data), *options)


def _pycocotools_ap(results: Path, pictures: Path) -> float:
    """The AP that pycocotools computes from results and from the JSON that the records were packed from."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(pictures / 'annotations' / 'instances_val.json'))
        evaluation = COCOeval(truth, truth.loadRes(str(results)), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


_TEXT = """\
# Detectors at a small scale

**No benchmark of detection was run here.** The page shows that each detector learns on the way that users take: COCO's
JSON, `cbam data pack`, `cbam train`, AP. All have the backbone of a ResNet-18 of a quarter of the width with CBAM, and
one run of a few minutes on a processor, from random weights; the detectors have the same settings and are not
tuned, so the figures do not rank them.

{tables}

AP and AP50 are COCO's, VOC07 is Pascal VOC's mAP of 2007, of the epoch with the best AP on these validation pictures,
which flatters them; the AP on the training pictures is of the same epoch. The AP of pycocotools on the results that
`cbam validate --save-results` writes differs by {difference:.0e} at most. CPU seconds are those of `cbam train` with
its validations, on cores that other programs use as well.

- **Drawn scenes**: 1,500 pictures for training and 150 for validation,
  `cbam data {scenes}`.
- **Trees**: the four aerial pictures of `cbam data trees`, in 160 tiles for training and 46 of two other pictures for
  validation, from the weights of the scenes. Two pictures are too few to learn what trees look like in others: the
  longer a run is, the better it finds the trees of its training pictures, as `ssd_300` and `stairnet_300` show, and
  hardly any others. A quarter of the boxes are small parts of trees that the borders of tiles cut off: AP and AP50
  count them as others, and VOC07 leaves them out.

## How it was run

`scripts/detectors`, {date}, Python {python}, mxnet 1.9.1, NumPy {numpy}, one thread a run.

{commands}

{options}
"""


def _text(results: Dict[str, Any]) -> str:
    return _TEXT.format(
        tables='\n\n'.join(_table(name, results['runs']) for name in PICTURES),
        difference=max(run['difference'] for run in results['runs']),
        scenes=' '.join(PICTURES['scenes'].source),
        commands='\n\n'.join(_command(name) for name in PICTURES),
        options='\n'.join(
            f'- `{row.network}`: `{" ".join(row.flags[2 + 2 * len(BACKBONE) :]) or "-"}`' for row in ROWS
        ),
        **{name: results[name] for name in ('date', 'python', 'numpy')},
    )


def _table(name: str, runs: List[Dict[str, Any]]) -> str:
    lines = [
        f'| {PICTURES[name].title} | parameters | AP | AP50 | VOC07 | AP, training pictures | CPU seconds |',
        '|---|---|---|---|---|---|---|',
    ]
    for run in runs:
        if run['pictures'] == name:
            scores = ' | '.join(f'{run[figure]:.3f}' for figure in ('ap', 'ap50', 'voc07', 'training_ap'))
            lines.append(f'| `{run["network"]}` | {run["parameters"]:,} | {scores} | {run["cpu_seconds"]:.0f} |')
    return '\n'.join(lines)


def _command(name: str) -> str:
    """The command of a data set, without the options of a detector alone."""
    settings = ' '.join(flags({**RECIPE, **PICTURES[name].settings}))
    backbone = ' '.join(f'--option {option}' for option in BACKBONE)
    start = ' --pretrained RUN' if name == 'trees' else ''
    return f'{PICTURES[name].title}: `cbam train --network NAME {backbone} {settings}{start}`, and of each detector:'


if __name__ == '__main__':
    main()

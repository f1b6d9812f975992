"""Ablation study of attention: none, SE, BAM, and CBAM in parts, orders and sizes, with several seeds each.

Trains narrow ResNets, one process on each core, and validates some of them on corrupted pictures. The figures of every
run go to ``docs/ablation_DATA.json``, and from them to ``docs/ablation_DATA.md`` and its plots. A run whose figures are
there, or that is finished, is not repeated; one that was stopped is resumed.
"""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any, Dict, List, Optional

import click
import numpy as np
from ablations.corruptions import validate, write_corrupted
from ablations.networks import CORRUPTED, ROWS
from ablations.pictures import PICTURES, Pictures
from ablations.report import draw, text
from study import CORES, ROOT, Row, call, final, flags, for_every_seed, measured_call, parameters

from gluon_cbam.common.files import write_json

_CORRUPTED_PICTURES = 2000


@click.command()
@click.option('--data', default='digits', show_default=True, type=click.Choice(list(PICTURES)), help='the pictures')
@click.option('--seeds', type=click.IntRange(2), help='runs of each network  [of the data]')
@click.option('--epochs', type=click.IntRange(1), help='passes over the training data  [of the data]')
@click.option('--work', type=click.Path(path_type=Path), help='directory of the runs  [runs/ablation]')
@click.option('--docs', default=ROOT / 'docs', type=click.Path(path_type=Path), help='directory of page and plots')
@click.option('--jobs', default=CORES, show_default=True, help='parallel runs, one core each')
@click.option('--time/--no-time', default=True, show_default=True, help='measure the time of a picture at the end')
@click.option('--page-only', is_flag=True, help='write page and plots anew, from the figures')
def main(
    data: str,
    seeds: Optional[int],
    epochs: Optional[int],
    work: Optional[Path],
    docs: Path,
    jobs: int,
    time: bool,
    page_only: bool,
) -> None:
    """Train every network with every seed and write the comparison."""
    study = _Study(data, epochs or PICTURES[data].epochs, (work or ROOT / 'runs' / 'ablation') / data, docs)
    if not page_only:
        study.run(seeds or PICTURES[data].seeds, jobs, time)
    page = text(study.results, PICTURES[data], study.file.stem)
    study.file.with_suffix('.md').write_text(page, encoding='utf-8')
    draw(study.results, docs)
    click.echo(page)


class _Study:
    """The figures of a study, kept in a file after each run."""

    def __init__(self, data: str, epochs: int, work: Path, docs: Path) -> None:
        docs.mkdir(parents=True, exist_ok=True)
        self._name, self._pictures, self._epochs, self._work = data, PICTURES[data], epochs, work
        self.file = docs / f'ablation_{data}.json'
        recipe = ' '.join(flags({**self._pictures.settings, 'epochs': epochs}))
        self.results: Dict[str, Any] = {'data': data, 'recipe': recipe, 'runs': []}
        if self.file.exists():
            found = json.loads(self.file.read_text(encoding='utf-8'))
            if found['recipe'] != recipe:
                raise click.ClickException(
                    f'{self.file} has runs of another recipe ({found["recipe"]}): remove it, or give --docs'
                )
            self.results = found

    def run(self, seeds: int, jobs: int, time: bool) -> None:
        """Train what is missing, and measure."""
        folder = self._pictures.write(self._work / 'data')
        files = write_corrupted(folder / 'val.rec', self._work / 'corrupted', _corrupted_pictures(self._pictures))
        for_every_seed(ROWS, seeds, jobs, lambda row, seed: self._train(row, seed, folder, files))
        size = int(str(self._pictures.settings['image-size']))
        self.results['parameters'] = {row.name: parameters(row, 10, size) for row in ROWS}
        if time:
            self.results['milliseconds'] = {row.name: _milliseconds(row, size) for row in ROWS}
        self._save()

    def _train(self, row: Row, seed: int, data: Path, files: Dict[str, Path]) -> None:
        if any((run['network'], run['seed']) == (row.name, seed) for run in self.results['runs']):
            return
        output = self._work / 'runs' / f'{row.name.replace(" ", "-")}-{self._epochs}-epochs-seed{seed}'
        if not (output / 'summary.json').exists():
            settings = {**self._pictures.settings, 'epochs': self._epochs, 'seed': seed}
            resumed = output.exists()
            _, seconds = measured_call(
                'train', *row.flags, *flags(settings), '--resume', 'auto', '--data-train', str(data / 'train.rec'),
                '--data-val', str(data / 'val.rec'), '--output', str(output),
            )  # fmt: skip
            if not resumed:
                write_json(output / 'cpu_seconds.json', round(seconds, 1))
        time = output / 'cpu_seconds.json'
        run = {
            'network': row.name,
            'seed': seed,
            **{name: final(output)[name] for name in ('top1', 'loss')},
            'cpu_seconds': json.loads(time.read_text(encoding='utf-8')) if time.exists() else None,
        }
        if row.name in CORRUPTED:
            run['corrupted'] = validate(output, files)
        click.echo(f'seed {seed} {row.name}: top-1 {run["top1"]:.4f}', err=True)
        self.results['runs'].append(run)
        self._save()

    def _save(self) -> None:
        self.results.update(
            date=str(datetime.date.today()), python=platform.python_version(), numpy=np.__version__
        )  # fmt: skip
        write_json(self.file, self.results)


def _corrupted_pictures(pictures: Pictures) -> int:
    return min(_CORRUPTED_PICTURES, pictures.records[1])


def _milliseconds(row: Row, size: int) -> float:
    """The median time of a picture in batches of 100, on one thread."""
    words: List[str] = ['bench', 'predict', *row.flags, '--classes', '10', '--image-size', str(size)]
    return call(*words, '--batch-size', '100', '--threads', '1')['milliseconds']['median'] / 100


if __name__ == '__main__':
    main()

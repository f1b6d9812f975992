"""Study of margins: verification of identities that no network was trained on, on real pictures.

The identities are classes of handwritten digits and of Fashion-MNIST's photographs. Every seed withholds other classes,
trains a narrow network on the rest with each head (``cbam train --task faces``), and verifies pairs of the withheld
classes (``cbam faces verify``). Writes ``docs/faces.md`` and ``docs/faces.png``. A finished run is not repeated; one
that was stopped is resumed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import click
from faces_studies.pictures import (
    FASHION_FOLDER,
    SOURCES,
    Pictures,
    divide,
    withheld_classes,
    write_pairs,
    write_records,
)
from faces_studies.report import Outcome, draw, text
from study import call, flags, for_every_seed, study_options

from gluon_cbam.common.errors import CbamError
from gluon_cbam.common.files import write_json
from gluon_cbam.tasks.faces.metrics.embeddings import squared_distances
from gluon_cbam.tasks.faces.metrics.verification import verify

SIZE, SCALE = 16, 16
NETWORK = ['--network', 'cbamnet_tiny', '--option', 'embedding=64', '--option', f'image_size={SIZE}']
RECIPE = {
    'task': 'faces',
    'image-size': SIZE,
    'crop-ratio': 1,
    'augment': 'none',
    'batch-size': 32,
    'lr': 0.05,
    'lr-mode': 'cosine',
    'warmup-epochs': 0.5,
    'wd': 5e-4,
}
HEADS = {
    'softmax': 'softmax',
    'normalized softmax': 'nsoftmax',
    'CosFace': 'cosface',
    'ArcFace': 'arcface',
    'CurricularFace': 'curricularface',
    'AdaFace': 'adaface',
}
"""Name in the table -> value of ``--head``."""
PAIRS = {'seen': 50, 'unseen': 150}
"""Verification set -> pairs of each kind in a fold: of held-out pictures of trained classes, and of withheld ones."""


class Row(NamedTuple):
    """A row of the tables: pictures, a key of SOURCES, and a head, a name of HEADS."""

    source: str
    head: str


@click.command()
@study_options('faces', epochs=8, images=200, seeds=5, what='pictures of a class, at most')
@click.option(
    '--fashion', default=FASHION_FOLDER, type=click.Path(path_type=Path), help='folder of the files of Fashion-MNIST'
)
@click.option(
    '--head', 'heads', multiple=True, type=click.Choice(list(HEADS.values())), help='compare with softmax  [all others]'
)
def main(
    seeds: int, epochs: int, images: int, work: Path, docs: Path, jobs: int, fashion: Path, heads: Tuple[str, ...]
) -> None:
    """Train every head with every seed on both kinds of pictures, verify the withheld classes, and compare."""
    began = time.time()
    pixels = {name: _written(name, seeds, work, fashion, images) for name in SOURCES}
    recipe = flags({**RECIPE, 'epochs': epochs})
    chosen = [name for name, flag in HEADS.items() if not heads or flag in (*heads, 'softmax')]
    rows = [Row(name, head) for name in SOURCES for head in chosen]
    found = for_every_seed(
        rows, seeds, jobs, lambda row, seed: _scores(row, seed, _folder(work, row.source, seed, images), recipe)
    )
    outcomes = [Outcome(row.source, row.head, each) for row, each in zip(rows, found)]
    outcomes += [Outcome(name, 'pixels, no network', each) for name, each in pixels.items()]
    taken = _seconds(work, time.time() - began)
    command = f'cbam train {" ".join([*NETWORK, *recipe])} --head HEAD --scale {SCALE}'
    withheld = [withheld_classes(seed) for seed in range(seeds)]
    options = [f'--seeds {seeds}', f'--epochs {epochs}', f'--images {images}', *(f'--head {head}' for head in heads)]
    study = ' '.join(['scripts/faces_study', *options])
    report = text(outcomes, withheld, images, PAIRS['unseen'], study, command, taken)
    docs.mkdir(exist_ok=True)
    (docs / 'faces.md').write_text(report, encoding='utf-8')
    draw(outcomes, docs / 'faces.png')
    click.echo(report)


def _written(name: str, seeds: int, work: Path, fashion: Path, images: int) -> List[Dict[str, Any]]:
    """Write the data of every seed; returns the scores of the pixels themselves, each picture divided by its norm."""
    pictures, scores = SOURCES[name].read(fashion), []
    for seed in range(seeds):
        folder = _folder(work, name, seed, images)
        folder.mkdir(parents=True, exist_ok=True)
        train, seen, unseen = divide(pictures, seed, images)
        write_records(folder / 'train.rec', train)
        write_pairs(folder / 'seen.npz', seen, PAIRS['seen'], seed)
        drawn, same = write_pairs(folder / 'unseen.npz', unseen, PAIRS['unseen'], seed)
        scores.append(_of_pixels(unseen, drawn, same))
    return scores


def _folder(work: Path, name: str, seed: int, images: int) -> Path:
    """The folder of the data and runs of a seed."""
    return work / name / f'seed{seed}-{images}-images'


def _of_pixels(pictures: Pictures, drawn: Any, same: Any) -> Dict[str, Any]:
    vectors = pictures.pixels.reshape(len(pictures.pixels), -1).astype('float64')
    vectors /= (vectors**2).sum(1, keepdims=True) ** 0.5
    return verify(squared_distances(vectors[drawn[:, 0]], vectors[drawn[:, 1]]), same).as_dict()


def _scores(row: Row, seed: int, data: Path, recipe: List[str]) -> Dict[str, Any]:
    """The value of ``cbam faces verify`` for a run, which is trained unless it is finished."""
    head = HEADS[row.head]
    output = data / f'{head}-{recipe[-1]}-epochs'
    if not (output / 'summary.json').exists():
        scale = [] if head == 'softmax' else ['--scale', str(SCALE)]
        call(
            'train', *NETWORK, *recipe, '--head', head, *scale, '--seed', str(seed), '--resume', 'auto',
            '--data-train', str(data / 'train.rec'), '--data-val', str(data / 'seen.npz'), '--output', str(output),
        )  # fmt: skip
    cached = output / 'unseen.json'
    if not cached.exists():
        found = call('faces', 'verify', str(data / 'unseen.npz'), '--params', str(output), '--no-flip')
        write_json(cached, found['sets'][0])
    scores = json.loads(cached.read_text(encoding='utf-8'))
    click.echo(f'{row.source} seed {seed} {row.head}: accuracy {scores["accuracy"]:.4f}', err=True)
    return scores


def _seconds(work: Path, now: float) -> float:
    """The duration of the study over all its calls: each adds its own to a file."""
    path = work / 'seconds.json'
    before = json.loads(path.read_text(encoding='utf-8')) if path.exists() else 0.0
    write_json(path, before + now)
    return before + now


if __name__ == '__main__':
    try:
        main()
    except CbamError as error:
        raise SystemExit(f'faces_study: {error}') from None

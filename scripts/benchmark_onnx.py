"""Compares the speed of our ONNX files with another file, such as the official network exported by PyTorch.

    .venv/bin/python scripts/benchmark_onnx.py --official official.onnx ours.onnx ours-int8.onnx --batch 1 --batch 8

All files run interleaved in one process, with the same number of threads and a pause after each call: ONNX Runtime's
threads spin for 40 ms after a call, and would slow down the next one. A file with a fixed batch can be timed for that
batch only. Outputs are compared first: the column ``difference`` has the largest deviation from the official file.
"""

from __future__ import annotations

import json
from functools import partial
from typing import List

import click
import numpy as np
from finite import positive

import gluon_cbam  # noqa: F401 (numpy and threads)
from gluon_cbam.benchmarks.onnx_workloads import LOADERS
from gluon_cbam.common.text_table import aligned
from gluon_cbam.common.timing import SPIN_DOWN_SECONDS, Timing, interleaved, timed
from gluon_cbam.compat.threads import physical_cores


def compare(official: str, files, engine: str, size: int, images: int, threads: int, seconds: float) -> List[dict]:
    """One row for each file; the official file comes first."""
    batch = np.random.RandomState(0).randn(images, 3, size, size).astype(np.float32)
    official = official.replace('{batch}', str(images))
    runs = {path: LOADERS[engine](path, batch, threads).run for path in (official, *files)}
    wanted = np.array(runs[official](batch))
    differences = {path: float(np.abs(run(batch) - wanted).max()) for path, run in runs.items()}
    repeat = {path: timed(partial(run, batch)) for path, run in runs.items()}
    taken = interleaved(repeat, 3, 1, seconds=seconds, rest=SPIN_DOWN_SECONDS)
    times = {path: Timing.of(each) for path, each in taken.items()}
    base = times[official].median
    return [
        {
            'engine': engine,
            'batch': images,
            'file': path,
            'difference': differences[path],
            'milliseconds': {'min': timing.min, 'median': timing.median},
            'ratio': base / timing.median,
        }
        for path, timing in times.items()
    ]


@click.command(help=__doc__)
@click.argument('files', nargs=-1, required=True)
@click.option('--official', required=True, help='baseline file; {batch} in its name is replaced by the batch')
@click.option('--engine', 'engines', multiple=True, default=('onnxruntime',), type=click.Choice(list(LOADERS)))
@click.option('--batch', 'batches', multiple=True, default=(1, 8), type=int)
@click.option('--image-size', default=224)
@click.option('--threads', default=physical_cores())
@click.option('--seconds', type=positive, default=20.0, help='duration for each engine and batch')
@click.option('--json', 'as_json', is_flag=True)
def main(files, official, engines, batches, image_size, threads, seconds, as_json):
    rows = [
        row
        for engine in engines
        for batch in batches
        for row in compare(official, files, engine, image_size, batch, threads, seconds)
    ]
    if as_json:
        click.echo(json.dumps({'threads': threads, 'rows': rows}))
        return
    cells = [
        (
            row['engine'],
            str(row['batch']),
            row['file'],
            f'{row["difference"]:.2g}',
            f'{row["milliseconds"]["min"]:.1f}',
            f'{row["milliseconds"]["median"]:.1f}',
            f'{row["ratio"]:.2f} x',
        )
        for row in rows
    ]
    click.echo(aligned([('engine', 'batch', 'file', 'difference', 'min ms', 'median ms', 'ratio'), *cells], (0, 2)))


if __name__ == '__main__':
    main()

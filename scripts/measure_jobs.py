"""Seconds of one, two and four equal jobs at the same time, with and without turns on the CPUs.

The jobs are a training, a validation, predictions and a pass of the training loader. Each number of jobs is started at
once, in processes of their own; the time is that of the slowest, from its start to its end.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List

import click

from gluon_cbam.benchmarks.textures import write_records
from gluon_cbam.data.datasets.digits import write_digits

COUNTS = (1, 2, 4)
TURNS = {'in turns': '1', 'without turns': '0'}
NETWORK = ['--network', 'cifar_cbam_resnet18', '--option', 'widen=0.25', '--option', 'reduction=4']
LOADER = """
import sys
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import TrainingData
from gluon_cbam.data.records.recordio import RecordFile
data = TrainingData(RecordFile(sys.argv[1]), 50, Preprocessing(224), 'imagenet', seed=0, workers=2)
for images in data.epoch(0):
    images.images.wait_to_read()
"""


def jobs_in(folder: Path) -> Dict[str, List[str]]:
    """The command of each job; its outputs go to the current directory."""
    cbam, digits, run = str(Path(sys.executable).parent / 'cbam'), folder / 'digits', folder / 'run'
    data = ['--data-train', f'{digits}/train.rec', '--data-val', f'{digits}/val.rec']
    train = [cbam, 'train', *NETWORK, *data, '--image-size', '32', '--batch-size', '64', '--epochs', '1', '--output']
    weights = ['--network', 'cifar_cbam_resnet18', '--params', str(run), '--batch-size', '32']
    return {
        'training': [*train, 'job'],
        'validation': [cbam, 'validate', *weights, '--data-val', f'{digits}/train.rec'],
        'predictions': [cbam, 'predict', f'{digits}/train.rec', *weights, '--jsonl', 'predictions.jsonl'],
        'loader': [sys.executable, '-c', LOADER, str(folder / 'textures.rec')],
        'preparation': [*train, str(run)],
    }


def seconds(command: List[str], count: int, turns: str) -> float:
    """The time of the slowest of some equal jobs."""
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        began = time.perf_counter()
        for number in range(count):
            here = Path(folder, str(number))
            here.mkdir()
            environment = {**os.environ, 'CBAM_CPU_TURNS': turns}
            processes.append(
                subprocess.Popen(
                    command, cwd=here, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        codes = [process.wait() for process in processes]
        elapsed = time.perf_counter() - began
    if any(codes):
        raise click.ClickException(f'exit codes {codes} of {" ".join(command)}')
    return elapsed


@click.command()
@click.option('--repeats', default=3, show_default=True, help='repetitions, of which the median counts')
@click.option('--job', 'chosen', multiple=True, help='measure only this job')
def main(repeats: int, chosen: List[str]) -> None:
    """Print a table of the seconds, and of the ratio to one job alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_digits(folder / 'digits')
        write_records(folder / 'textures.rec', 1000)
        jobs = jobs_in(folder)
        subprocess.run(jobs.pop('preparation'), check=True, capture_output=True)
        print('| job | | ' + ' | '.join(f'{count} at once' for count in COUNTS) + ' |')
        print('|---|---|' + '---|' * len(COUNTS))
        for job, command in jobs.items():
            if chosen and job not in chosen:
                continue
            measured: Dict[str, Dict[int, List[float]]] = {turns: {count: [] for count in COUNTS} for turns in TURNS}
            for _ in range(repeats):
                for turns, value in TURNS.items():
                    for count in COUNTS:
                        measured[turns][count].append(seconds(command, count, value))
            for turns, times in measured.items():
                medians = [statistics.median(times[count]) for count in COUNTS]
                cells = [f'{median:.1f} s ({median / medians[0]:.1f})' for median in medians]
                print(f'| {job} | {turns} | ' + ' | '.join(cells) + ' |', flush=True)


if __name__ == '__main__':
    main()

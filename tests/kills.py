"""Runs that are killed at random moments, and continued until they are done.

As a program, `python tests/kills.py KILLS FOLDER [ARGUMENTS OF cbam train]` compares such a run with an unbroken one.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from run_folders import assert_same_run, metrics

from gluon_cbam.data.datasets.digits import write_digits

CBAM = str(Path(sys.executable).parent / 'cbam')
PATIENCE = 300  # seconds


def told(output):
    """The size of the metrics: how far a run is."""
    path = output / 'metrics.jsonl'
    return path.stat().st_size if path.exists() else 0


def writing(output):
    """A file of a checkpoint is being written."""
    return any((output / 'checkpoints').glob('.*.part'))


def wait(process, happened):
    """Wait until it happened or the process ended."""
    deadline = time.time() + PATIENCE
    while process.poll() is None and not happened():
        assert time.time() < deadline, 'nothing happens'
        time.sleep(0.002)


def let_live(process, output, chance):
    """Wait for a random moment; returns what it was a moment of."""
    moment = chance.choice(['start', 'step', 'step', 'write', 'write', 'write'])
    if moment == 'start':
        time.sleep(chance.uniform(0, 4))
        return moment
    size = told(output) + chance.randrange(8000)  # up to some 40 steps
    wait(process, lambda: told(output) > size)
    time.sleep(chance.uniform(0, 0.2))
    if moment == 'write':
        wait(process, lambda: writing(output))
        time.sleep(chance.uniform(0, 0.02))
    return moment


def kill(command, output, chance):
    """Start or continue a run and kill it; returns the moment, or None if the run was done before."""
    with tempfile.TemporaryFile('w+') as talk:
        process = subprocess.Popen([*command, '--resume', 'auto'], stdout=subprocess.DEVNULL, stderr=talk)
        moment = let_live(process, output, chance)
        process.send_signal(signal.SIGKILL)
        process.wait()
        talk.seek(0)
        assert process.returncode in (0, -signal.SIGKILL), talk.read()
    if process.returncode == 0:
        return None
    return 'inside a write' if writing(output) else moment


def finish(command, resume='auto'):
    """Continue a run to its end; returns what it said."""
    process = subprocess.run([*command, '--resume', resume], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stderr


def main(kills, folder, *arguments):
    folder, chance, moments = Path(folder), random.Random(), Counter()
    write_digits(folder / 'digits')
    commands = {
        name: [
            CBAM, 'train', '--network', 'cbamnet_tiny', '--image-size', '8', '--epochs', '12', '--log-interval', '1',
            '--data-train', f'{folder}/digits/train.rec', '--data-val', f'{folder}/digits/val.rec',
            '--save-interval', '3', '--output', str(folder / name), *arguments,
        ]
        for name in ('unbroken', 'killed')
    }  # fmt: skip
    finish(commands['unbroken'])
    for number in range(int(kills)):
        moment = kill(commands['killed'], folder / 'killed', chance)
        assert moment, 'the run ended too early: give more --epochs'
        moments[moment] += 1
        step = metrics(folder / 'killed')[-1:]
        print(f'kill {number + 1}: {moment}, step {step[0]["step"] if step else 0}', flush=True)
    finish(commands['killed'])
    assert_same_run(folder / 'killed', folder / 'unbroken')
    print(f'{kills} kills ({dict(moments)}): every bit as in the unbroken run')


if __name__ == '__main__':
    main(*sys.argv[1:])

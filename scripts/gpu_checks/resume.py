"""A run that is killed and resumed, against an unbroken one."""

import subprocess
from pathlib import Path
from typing import List

import numpy as np
from kills import CBAM, finish, told, wait
from run_folders import metrics, state

from gluon_cbam.data.datasets.digits import write_digits

from .recorder import Recorder
from .setting import Setting

_LEEWAY = 10  # times as far from an unbroken run as another unbroken run is: nothing on devices that repeat every bit


def run(setting: Setting, record: Recorder) -> None:
    """Train twice without a break, and once with ``kill -9`` in the middle of epochs."""
    folder = setting.path
    write_digits(folder / 'digits')
    first, again, killed = folder / 'first', folder / 'again', folder / 'killed'
    finish(_command(setting, first))
    finish(_command(setting, again))
    for part in (0.5,) if setting.quick else (0.3, 0.7):
        _kill(_command(setting, killed), killed, part * told(first))
        record.note(f'killed at step {metrics(killed)[-1]["step"]} of {metrics(first)[-1]["step"]}')
    finish(_command(setting, killed))
    noise, apart = _apart(again, first), _apart(killed, first)
    record.figure('two unbroken runs: state apart', noise)
    record.figure('killed and unbroken run: state apart', apart, _LEEWAY * noise)
    record.note('bit for bit as an unbroken run' if apart == 0 else 'not bit for bit as an unbroken run')
    record.figure(
        'steps of the killed run less those of the unbroken one', len(metrics(killed)) - len(metrics(first)), 0
    )


def _command(setting: Setting, output: Path) -> List[str]:
    digits, devices = setting.path / 'digits', setting.training()
    return [
        CBAM, 'train', '--network', 'cbamnet_tiny', '--image-size', '8', '--epochs', '2' if setting.quick else '4',
        '--log-interval', '1', '--save-interval', '20', '--data-train', f'{digits}/train.rec',
        '--data-val', f'{digits}/val.rec', '--output', str(output),
        *(text for name, value in devices.items() for text in (f'--{name}', str(value))),
    ]  # fmt: skip


def _kill(command: List[str], output: Path, size: float) -> None:
    """Start or continue a run, and kill it once its metrics have this size."""
    process = subprocess.Popen([*command, '--resume', 'auto'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(process, lambda: told(output) > size)
    if process.poll() is not None:
        raise ValueError(f'the run ended with exit code {process.returncode} before it was killed')
    process.kill()
    process.wait()


def _apart(one: Path, other: Path) -> float:
    """The largest difference of two states, each array as a part of its largest value."""
    mine, expected = state(one), state(other)
    if set(mine) != set(expected):
        raise ValueError(f'states of other parts: {sorted(set(mine) ^ set(expected))[:5]}')
    return max(
        float(np.abs(array.astype('float64') - expected[name]).max() / max(np.abs(expected[name]).max(), 1e-30))
        for name, array in mine.items() if array.size
    )  # fmt: skip

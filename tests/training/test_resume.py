"""Runs in separate processes that are killed and resumed."""

import random
import signal
import subprocess

import pytest
from kills import CBAM, PATIENCE, finish, kill
from run_folders import assert_same_run

from gluon_cbam.training import TrainConfig, train


@pytest.fixture
def settings(settings):
    return {**settings, 'epochs': 12, 'log_interval': 1, 'save_interval': 3, 'val_interval': 5}


def command(settings):
    flags = [f'--{name.replace("_", "-")}={value}' for name, value in settings.items()]
    return [CBAM, 'train', *flags]


def signalled(command, output, number, after):
    """Start or resume a run and signal it after this many steps; returns exit code and lines of standard error."""
    process = subprocess.Popen(
        [*command, '--resume', 'auto'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if f'step {after}: loss' in line:
            process.send_signal(number)
            break
    _, talk = process.communicate(timeout=PATIENCE)
    return process.returncode, talk.strip().splitlines()


@pytest.mark.slow
def test_a_run_that_is_stopped_and_killed_many_times_equals_an_uninterrupted_one(settings, tmp_path):
    unbroken, broken = tmp_path / 'unbroken', tmp_path / 'run'
    train(TrainConfig(**{**settings, 'output': str(unbroken)}))
    mine = command(settings)
    for number, after, code in ((signal.SIGINT, 5, 130), (signal.SIGTERM, 20, 143)):
        status, talk = signalled(mine, broken, number, after)
        assert status == code
        assert talk[-1].startswith(f'cbam: {signal.Signals(number).name} at step ')
        assert talk[-1].endswith(f'continue with --resume {broken}')
    chance = random.Random()
    assert [kill(mine, broken, chance) for _ in range(3)] != [None] * 3
    assert 'continues at epoch' in finish([CBAM, 'train'], resume=broken / 'checkpoints')
    assert_same_run(broken, unbroken)

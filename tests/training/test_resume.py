"""Runs that are really killed, and continued."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.errors import DataError
from gluon_cbam.training import TrainConfig, train

EPOCHS = 4
STEPS = 1437 // 32


def command(digits, output):
    return [
        str(Path(sys.executable).parent / 'cbam'), 'train', '--network', 'cbamnet_tiny', '--image-size', '8',
        '--data-train', str(digits / 'train.rec'), '--data-val', str(digits / 'val.rec'), '--output', str(output),
        '--epochs', str(EPOCHS), '--log-interval', '1', '--lr-mode', 'cosine', '--lr', '0.05',
    ]  # fmt: skip


def run(digits, output, *more):
    return subprocess.run([*command(digits, output), *more], capture_output=True, text=True, timeout=300, check=False)


def steps_done(output):
    path = output / 'metrics.jsonl'
    lines = path.read_text().splitlines() if path.exists() else []
    return max((json.loads(line)['step'] for line in lines[:-1]), default=0)


def killed(digits, output, number, after):
    """Start a run and send it a signal once it has done so many steps."""
    process = subprocess.Popen(command(digits, output), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 200
    while steps_done(output) < after and process.poll() is None and time.time() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, number)
    _, talk = process.communicate(timeout=100)
    return process.returncode, talk.strip().splitlines()


def final(output):
    (path,) = (output / 'checkpoints').glob('newest-*.params')
    return {name: value.asnumpy() for name, value in mx.nd.load(str(path)).items()}


@pytest.fixture(scope='module')
def uninterrupted(digits, tmp_path_factory):
    output = tmp_path_factory.mktemp('uninterrupted') / 'run'
    assert run(digits, output).returncode == 0
    return output


def assert_continues_as_if_nothing_happened(output, uninterrupted):
    expected = final(uninterrupted)
    for name, value in final(output).items():
        assert np.array_equal(value, expected[name]), name
    mine, theirs = (
        [
            {
                name: value
                for name, value in json.loads(line).items()
                if not name.endswith(('seconds', 'per_second', 'wait'))
            }
            for line in (folder / 'metrics.jsonl').read_text().splitlines()
        ]
        for folder in (output, uninterrupted)
    )
    logged = {record['step']: record for record in theirs if record['kind'] == 'interval'}
    assert [record['step'] for record in mine] == [record['step'] for record in theirs]
    assert all(record == logged[record['step']] for record in mine if record['kind'] == 'interval')


@pytest.mark.slow
@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_run_continues(digits, tmp_path, uninterrupted, number, code):
    output = tmp_path / 'run'
    status, talk = killed(digits, output, number, after=STEPS + 10)
    assert status == code
    assert talk[-1].startswith(f'cbam: {signal.Signals(number).name} at step ')
    assert f'continue with --resume {output}' in talk[-1]
    (card,) = (output / 'checkpoints').glob('newest-*.json')
    assert json.loads(card.read_text())['training']['batch'] > 0, 'it was stopped inside an epoch'
    process = run(digits, output, '--resume', 'auto', '--json')
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)['steps'] == EPOCHS * STEPS
    assert_continues_as_if_nothing_happened(output, uninterrupted)


@pytest.mark.slow
def test_a_run_that_was_killed_outright_continues(digits, tmp_path, uninterrupted):
    output = tmp_path / 'run'
    status, _ = killed(digits, output, signal.SIGKILL, after=2 * STEPS + 10)
    assert status == -signal.SIGKILL
    process = subprocess.run(
        [command(digits, output)[0], 'train', '--resume', str(output / 'checkpoints')],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert 'continues at epoch 3' in process.stderr
    assert_continues_as_if_nothing_happened(output, uninterrupted)


def test_damaged_checkpoints_are_refused(digits, tmp_path):
    settings = {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'output': str(tmp_path / 'run'),
        'image_size': 8, 'epochs': 1,
    }  # fmt: skip
    train(TrainConfig(**settings))
    again = TrainConfig(**{**settings, 'epochs': 2, 'resume': 'auto'})
    for ending, said in (('.states', 'is damaged'), ('.params', 'has the SHA-256')):
        (path,) = (tmp_path / 'run' / 'checkpoints').glob(f'newest-*{ending}')
        good = path.read_bytes()
        path.write_bytes(good[:-9] + b'x' * 9)
        with pytest.raises(DataError, match=said):
            train(again)
        path.unlink()
        with pytest.raises(DataError, match='is missing'):
            train(again)
        path.write_bytes(good)
    assert train(again)['epochs'] == 2


def test_a_state_without_its_card_does_not_exist(digits, tmp_path):
    """A crash while a checkpoint is written leaves parameters and states whose card was not written yet."""
    settings = {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'output': str(tmp_path / 'run'),
        'image_size': 8, 'epochs': 1,
    }  # fmt: skip
    train(TrainConfig(**settings))
    folder = tmp_path / 'run' / 'checkpoints'
    for ending in ('.params', '.states'):
        (folder / f'newest-step99999999{ending}').write_bytes(b'half')
    summary = train(TrainConfig(**{**settings, 'epochs': 2, 'resume': 'auto'}))
    assert summary['steps'] == 2 * STEPS
    assert len(list(folder.glob('newest-*'))) == 3

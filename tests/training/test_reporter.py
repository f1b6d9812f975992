"""The reports of a run: metrics, events for TensorBoard, the line on a terminal."""

import fcntl
import importlib.util
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from event_files import shown

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.tasks import get_task
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.logging.tensorboard import Events

STEPS = 1437 // 256
TAGS = {
    'interval': {'train/loss': 'loss', 'train/top1': 'top1', 'lr': 'lr', 'speed/images_per_second': 'images_per_second',
                 'speed/data_wait': 'data_wait'},
    'epoch': {
        f'val/{name}': f'val_{name}'
        for name in ('loss', 'top1', 'top5', 'macro_f1', 'balanced_accuracy', 'ece', 'brier')
    },
}  # fmt: skip
TAGS['validation'] = TAGS['epoch']


@pytest.fixture
def settings(digits, tmp_path):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'data_val': str(digits / 'val.rec'),
        'output': str(tmp_path / 'run'), 'image_size': 8, 'epochs': 1, 'batch_size': 256, 'log_interval': 2,
    }  # fmt: skip


def metrics(folder):
    return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


def expected(records):
    return {
        (tag, record['step']): pytest.approx(record[name], rel=1e-6)
        for record in records
        for tag, name in TAGS[record['kind']].items()
    }


def test_metrics_and_events_of_a_run_and_its_continuation(settings, tmp_path):
    folder = tmp_path / 'run'
    settings['val_interval'] = 2
    train(TrainConfig(**settings, tensorboard=True))
    for record in metrics(folder):
        if record['kind'] == 'interval':
            assert 0 <= record['data_wait'] <= 1
            assert record['eta_seconds'] >= 0
    assert metrics(folder)[-2]['step'] == STEPS
    assert shown(folder / 'tensorboard') == expected(metrics(folder))
    lost = Events(folder / 'tensorboard', STEPS, get_task())  # of a session that was killed after its last checkpoint
    lost.add({'kind': 'interval', 'step': STEPS + 1, 'loss': 99.0})
    lost.close()
    train(TrainConfig(**{**settings, 'epochs': 2, 'resume': 'auto', 'tensorboard': True}))
    assert len({record['step'] for record in metrics(folder)}) == 6
    assert shown(folder / 'tensorboard') == expected(metrics(folder))


def test_without_tensorboardx(settings, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *of: None if 'board' in name else find(name, *of))
    with pytest.raises(EnvironmentProblem, match=r"--tensorboard needs tensorboardX: pip install 'gluon_cbam\[tensorb"):
        train(TrainConfig(**settings, tensorboard=True))
    assert not (tmp_path / 'run').exists()


def on_a_terminal(arguments, columns):
    """The output of a command on a terminal with this number of columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    command = [str(Path(sys.executable).parent / 'cbam'), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    written = b''
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the command has ended
            break
        written += part
    os.close(master)
    process.communicate(timeout=100)
    assert process.returncode == 0, written
    return written.decode()


def test_the_line_on_a_terminal(settings, tmp_path):
    arguments = [
        'train', *(part for name, value in settings.items() for part in (f'--{name.replace("_", "-")}', value))
    ]  # fmt: skip
    lines = on_a_terminal([*arguments, '--batch-size', 128, '--log-interval', 1], 100).replace('\r', '\n').splitlines()
    readings = [line for line in lines if 'ETA' in line]
    assert readings
    for line in readings:
        assert all(part in line for part in ('epoch ', 'loss ', 'top-1 ', 'img/s', 'wait ', '/11'))
        assert len(line) <= 100

"""Sharded heads over workers that are real processes, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from face_identities import write_identities
from jobs import ROOT, Job, end
from run_folders import metrics, state

from gluon_cbam.launch.start import NODE_COMMAND

SCRIPT = str(Path(__file__).parents[2] / 'train_plainly.py')
IMAGES = 12  # of a step, over all devices and processes

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'), identities=7, pictures=12)


def settings_of(data, output, devices, **changes):
    return {
        'task': 'faces', 'network': 'cbamnet_tiny', 'option': {'embedding': 8, 'image_size': 16}, 'image_size': 16,
        'data_train': str(data / 'train.rec'), 'output': str(output), 'epochs': 4, 'batch_size': IMAGES // devices,
        'lr': 0.05, 'scale': 16.0, 'workers': 1, 'augment': 'face', 'head': 'curricularface', 'log_interval': 1,
        'save_interval': 3, **changes,
    }  # fmt: skip


def alone(data, output, devices=1, **changes):
    """Train in one process; returns its run folder."""
    config = settings_of(data, output, devices, cpus=devices, **changes)
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    subprocess.run([sys.executable, SCRIPT, json.dumps(config)], env=environment, check=True)
    return output


@pytest.fixture
def job(tmp_path, data):
    """Starts cbam launch with two workers, each with as many CPU contexts; ends what a failed test left of it."""
    started = []

    def start(output, devices=1, **changes):
        config = settings_of(data, output, 2 * devices, cpus=devices, kv_store='dist_sync', **changes)
        command = [sys.executable, SCRIPT, json.dumps(config)]
        environment = {'OMP_NUM_THREADS': '1'}
        started.append(Job(tmp_path, command=command, workers=2, servers=1, role=NODE_COMMAND, environment=environment))
        return started[-1]

    yield start
    end(started)


def differences(mine, expected):
    assert set(mine) == set(expected)
    return {name: np.abs(mine[name] - expected[name]).max() / (np.abs(expected[name]).max() or 1) for name in mine}


def assert_equal_to_rounding(mine, theirs):
    """1e-5 of the largest value after 28 steps, of weights, momentum and moving statistics alike."""
    assert max(differences(state(mine), state(theirs)).values()) < 1e-5
    for a, b in zip(metrics(mine), metrics(theirs)):
        for name in ('loss', 'theta', 'hard', 'norm'):
            assert a.get(name) == (b.get(name) and pytest.approx(b[name], rel=1e-4)), (a, b)


def test_two_workers_with_two_devices_give_what_one_gives(job, data, tmp_path):
    one = job(tmp_path / 'run', devices=2)
    assert one.ended()[0] == 0, one.log()
    assert_equal_to_rounding(tmp_path / 'run', alone(data, tmp_path / 'alone'))
    assert state(tmp_path / 'run')['table/weight'].shape == (7, 8)


def test_a_sample_over_workers_is_that_over_devices(job, data, tmp_path):
    """The shards, not the processes, decide which classes a step takes."""
    many = tmp_path / 'many'
    many.mkdir()
    write_identities(many, identities=40, pictures=2)
    changes = {
        'sample_rate': 0.5,
        'clip_norm': 0.5,
        'batch_size': 2,
        'epochs': 1,
        'data_train': str(many / 'train.rec'),
    }
    one = job(tmp_path / 'run', **changes)
    assert one.ended()[0] == 0, one.log()
    assert_equal_to_rounding(tmp_path / 'run', alone(data, tmp_path / 'alone', devices=2, **changes))
    whole = state(alone(data, tmp_path / 'whole', devices=2, **{**changes, 'sample_rate': 1.0}))
    assert max(differences(state(tmp_path / 'run'), whole).values()) > 0.01, 'a sample was taken'


def test_a_killed_worker_and_a_resume_bit_for_bit(job, data, tmp_path):
    """With validations within epochs, of which each process scores a part."""
    unbroken, folder = tmp_path / 'unbroken', tmp_path / 'run'
    validated = {'data_val': str(data / 'val'), 'val_interval': 4}
    one = job(unbroken, devices=2, **validated)
    assert one.ended()[0] == 0, one.log()
    one = job(folder, devices=2, **validated)
    deadline = time.time() + 120
    while not list(folder.glob('checkpoints/newest-*-step0000000[6-9].json')):
        assert one.process.poll() is None, one.log()
        assert time.time() < deadline, one.log()
        time.sleep(0.005)
    os.kill(one.member('worker', 1), signal.SIGKILL)
    assert one.ended()[0] == 1
    one = job(folder, devices=2, resume='auto', **validated)
    assert one.ended()[0] == 0, one.log()
    mine, expected = state(folder), state(unbroken)
    assert {'table/weight', 'table/weight.0', 'moving_statistics/t'} <= set(mine)
    assert max(differences(mine, expected).values()) == 0
    assert metrics(folder) == metrics(unbroken)
    assert [each['step'] for each in metrics(folder) if each['kind'] == 'validation'] == [4, 8, 12, 16, 20, 24]


def test_a_run_of_workers_resumes_in_one_process_with_three_devices(job, data, tmp_path):
    """And that run as two workers again."""
    folder, expected = tmp_path / 'run', alone(data, tmp_path / 'alone', epochs=3)
    assert job(folder, epochs=1).ended()[0] == 0
    alone(data, folder, devices=3, epochs=2, resume='auto')
    assert job(folder, devices=2, epochs=3, resume='auto').ended()[0] == 0
    assert max(differences(state(folder), state(expected)).values()) < 1e-5

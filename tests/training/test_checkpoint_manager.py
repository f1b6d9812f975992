"""Runs that are stopped by signals, resumed and stopped early, in this process."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
from run_folders import assert_same_run, metrics, newest, state

from gluon_cbam.common.errors import DataError, Interrupted, UsageError
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.checkpoint.manager import CheckpointManager
from gluon_cbam.training.loop import random_state, validation

pytestmark = pytest.mark.usefixtures('small_network')


def signalled(number, batch):
    """A progress display that sends this process a signal while it shows a batch of the run, from 0."""
    shown = [0]

    def show(batches, total, text):
        for each in batches:
            if shown[0] == batch:
                os.kill(os.getpid(), number)
            shown[0] += 1
            yield each

    return show


def stopped(settings, number, batch):
    with pytest.raises(Interrupted) as caught:
        train(TrainConfig(**settings), progress=signalled(number, batch))
    assert caught.value.exit_code == 128 + number
    return str(caught.value)


def resumed(settings, **changes):
    return train(TrainConfig(**{**settings, 'resume': 'auto', **changes}))


@pytest.mark.parametrize('dropout', [0.0, 0.5])
@pytest.mark.parametrize('batch', [8, 13])
def test_a_stopped_run_continues_bit_for_bit(settings, tmp_path, small_network, dropout, batch):
    small_network.dropout = dropout
    train(TrainConfig(**{**settings, 'output': str(tmp_path / 'unbroken')}))
    line = stopped(settings, signal.SIGTERM, batch)
    assert line.startswith(f'SIGTERM at step {batch}: saved {newest(tmp_path / "run")}; continue with --resume')
    resumed(settings)
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


def test_the_disk_of_any_moment_of_a_run_is_enough(settings, tmp_path, small_network, disks_before_each_write):
    """Also where nothing was saved yet, and between a state and the best parameters."""
    small_network.dropout = 0.5
    settings.update(save_interval=4, keep_best=2)
    with disks_before_each_write(tmp_path / 'run') as disks:
        train(TrainConfig(**settings))
    assert len(disks) > 100
    for disk in disks[:: int(os.environ.get('EVERY_DISK', '16'))]:
        resumed(settings, output=str(disk))
        assert_same_run(disk, tmp_path / 'run')
        assert best_files(disk) == best_files(tmp_path / 'run')


def test_dropout_would_differ_without_its_seed(settings, tmp_path, small_network, monkeypatch):
    small_network.dropout = 0.5
    monkeypatch.setattr(random_state, 'draws', lambda net: False)
    train(TrainConfig(**{**settings, 'output': str(tmp_path / 'unbroken')}))
    stopped(settings, signal.SIGTERM, 8)
    resumed(settings)
    mine, expected = state(tmp_path / 'run'), state(tmp_path / 'unbroken')
    assert not np.array_equal(mine['fc.weight'], expected['fc.weight'])


@pytest.mark.parametrize(
    ('block', 'drawn'),
    [
        (mx.gluon.nn.Dropout(0.1), True),
        (mx.gluon.nn.HybridLambda(lambda F, x: F.random.normal_like(x)), True),
        (mx.gluon.nn.HybridLambda(lambda F, x: F.LeakyReLU(x, act_type='rrelu')), True),
        (mx.gluon.nn.LeakyReLU(0.1), False),
        (mx.gluon.nn.BatchNorm(), False),
    ],
)
def test_networks_that_draw_are_found(block, drawn):
    assert random_state.draws(block) == drawn


def test_several_devices_continue(settings, tmp_path):
    """Bit for bit: a state has the running statistics of each device, which the parameters have the mean of."""
    settings = {**settings, 'cpus': 3, 'batch_size': 4}
    train(TrainConfig(**{**settings, 'output': str(tmp_path / 'unbroken')}))
    stopped(settings, signal.SIGINT, 10)
    resumed(settings)
    mine, expected = state(tmp_path / 'run'), state(tmp_path / 'unbroken')
    for name, value in mine.items():
        assert np.array_equal(value, expected[name]), name


def test_a_signal_in_validation_does_not_train_again(settings, tmp_path, monkeypatch):
    train(TrainConfig(**{**settings, 'output': str(tmp_path / 'unbroken')}))
    evaluate = validation.evaluate

    def evaluate_once_told(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments)

    monkeypatch.setattr(validation, 'evaluate', evaluate_once_told)
    with pytest.raises(Interrupted, match='SIGTERM at step 12'):
        train(TrainConfig(**settings))
    progress = json.loads(newest(tmp_path / 'run', '.json').read_text())['training']['progress']
    assert (progress['epoch'], progress['batch']) == (0, 12)
    monkeypatch.setattr(validation, 'evaluate', evaluate)
    shown = []

    def show(batches, total, text):
        for batch in batches:
            shown.append(text)
            yield batch

    train(TrainConfig(**{**settings, 'resume': 'auto'}), progress=show)
    assert shown == ['epoch 2/2'] * 12
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


def test_usr1_saves_and_the_run_continues(settings, tmp_path, caplog):
    settings['epochs'] = 1
    with caplog.at_level(logging.DEBUG):
        summary = train(TrainConfig(**settings), progress=signalled(signal.SIGUSR1, 7))
    assert summary['steps'] == 12
    folder = tmp_path / 'run' / 'checkpoints'
    assert f'SIGUSR1 at step 7: saved {folder / "newest-epoch0000-step00000007.params"}' in caplog.messages
    assert [path.name for path in sorted(folder.glob('newest-*.json'))] == [
        'newest-epoch0000-step00000007.json', 'newest-epoch0001-step00000012.json',
    ]  # fmt: skip
    assert [record['step'] for record in metrics(tmp_path / 'run')] == [5, 10, 12, 12], 'saving leaves no record'


def saved(caplog):
    return [int(message.split()[1][:-1]) for message in caplog.messages if message.startswith('step ')]


@pytest.mark.parametrize(
    ('changes', 'steps'),
    [
        ({'save_interval': 5}, [5, 10, 12, 15, 20, 24]),
        ({'save_minutes': 1e-9}, [*range(1, 13), 12, *range(13, 25), 24]),
        ({'save_minutes': 0}, [12, 24]),
        ({}, [12, 24]),
    ],
)
def test_when_states_are_saved(settings, caplog, changes, steps):
    with caplog.at_level(logging.DEBUG):
        train(TrainConfig(**{**settings, **changes}))
    assert saved(caplog) == steps


def scores(monkeypatch, values):
    """Validations find these top-1, one after the other."""
    evaluate, left = validation.evaluate, list(values)
    monkeypatch.setattr(validation, 'evaluate', lambda *args: replace(evaluate(*args), top1=left.pop(0), loss=0.5))


def best_files(folder):
    found = {}
    for path in sorted((folder / 'checkpoints').glob('best*.json')):
        card = json.loads(path.read_text())
        assert path.with_suffix('.params').exists()
        found[path.stem] = (card['training']['epoch'], card['metrics']['top1'])
    return found


def test_early_stop_and_its_counter_over_a_resume(settings, tmp_path, monkeypatch, caplog):
    settings.update(epochs=9, early_stop=3)
    scores(monkeypatch, [0.5, 0.7, 0.7, 0.6, 0.7, 0.9])
    stopped(settings, signal.SIGTERM, 4 * 12 + 3)
    with caplog.at_level(logging.INFO):
        summary = resumed(settings)
    assert (summary['epochs'], summary['stopped_early']) == (5, True)
    assert summary['best'] == {'epoch': 2, 'step': 24, 'top1': 0.7}
    assert 'stopped early: 3 epochs without a better validation' in caplog.messages
    assert resumed(settings)['epochs'] == 5
    summary = resumed(settings, early_stop=4, epochs=6)
    assert (summary['epochs'], summary['stopped_early'], summary['best']['epoch']) == (6, False, 6)


def test_the_k_best_are_kept_and_of_equal_ones_the_earlier(settings, tmp_path, monkeypatch):
    settings.update(epochs=5, keep_best=2)
    scores(monkeypatch, [0.5, 0.75, 0.25, 0.75, 0.875])
    stopped(settings, signal.SIGTERM, 3 * 12 + 3)
    assert best_files(tmp_path / 'run') == {
        'best': (2, 0.75), 'best-epoch0001-top1-0.5000': (1, 0.5), 'best-epoch0002-top1-0.7500': (2, 0.75),
    }  # fmt: skip
    resumed(settings, epochs=4)
    assert set(best_files(tmp_path / 'run')) == {'best', 'best-epoch0002-top1-0.7500', 'best-epoch0004-top1-0.7500'}
    assert best_files(tmp_path / 'run')['best'] == (2, 0.75)
    resumed(settings)
    assert best_files(tmp_path / 'run') == {
        'best': (5, 0.875), 'best-epoch0002-top1-0.7500': (2, 0.75), 'best-epoch0005-top1-0.8750': (5, 0.875),
    }  # fmt: skip


@pytest.mark.parametrize('moment', ['validated', 'write_best'])
def test_a_run_that_ends_between_two_of_an_epochs_files(settings, tmp_path, monkeypatch, moment):
    """Between the validation and its state, or between that and the best parameters."""
    settings.update(keep_best=2, save_interval=4)
    train(TrainConfig(**{**settings, 'output': str(tmp_path / 'unbroken')}))

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CheckpointManager, moment, die)
        train(TrainConfig(**settings))
    assert not best_files(tmp_path / 'run')
    resumed(settings)
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')
    assert best_files(tmp_path / 'run') == best_files(tmp_path / 'unbroken')


@pytest.mark.parametrize('changes', [{'early_stop': 2}, {'keep_best': 3}])
def test_settings_that_need_validation_data(settings, changes):
    with pytest.raises(UsageError, match='needs validation data: give --data-val'):
        train(TrainConfig(**{**settings, **changes, 'data_val': None}))


def shortened(path, to, count):
    records = RecordFile(path)
    with RecordWriter(to) as writer:
        for number in range(count):
            writer.write(records[number].labels, records[number].image)
    return str(to)


def test_other_data_is_refused_with_the_difference(settings, few_digits, tmp_path):
    train(TrainConfig(**{**settings, 'epochs': 1}))
    before = {path: path.read_bytes() for path in (tmp_path / 'run' / 'checkpoints').iterdir()}
    fewer = shortened(few_digits / 'train.rec', tmp_path / 'train.rec', 90)
    with pytest.raises(DataError, match='the training data differs .*: 90 records, .*, was 96 records'):
        resumed(settings, data_train=fewer, classes=10)
    fewer = shortened(few_digits / 'val.rec', tmp_path / 'val.rec', 40)
    with pytest.raises(DataError, match='the validation data differs .*: 40 records, .*, was 48 records'):
        resumed(settings, data_val=fewer)
    assert {path: path.read_bytes() for path in before} == before
    same = shortened(few_digits / 'train.rec', tmp_path / 'moved.rec', 96)
    assert resumed(settings, data_train=same, classes=10)['epochs'] == 2, 'the same records in another file'


def exchanged(path, to):
    """A copy in which two pictures of one label and, by a byte behind the shorter, of one size are exchanged."""
    records = RecordFile(path)
    first, second = np.flatnonzero(records.labels == records.labels[0])[:2].tolist()
    size = max(len(records.image(first)), len(records.image(second)))
    images = [bytes(records.image(number)).ljust(size, b'\0') for number in (first, second)]
    assert images[0] != images[1]
    written = []
    for name, pair in (('before', images), ('after', images[::-1])):
        written.append(to / name / 'train.rec')
        written[-1].parent.mkdir()
        with RecordWriter(written[-1]) as writer:
            for number in range(len(records)):
                image = pair[[first, second].index(number)] if number in (first, second) else records.image(number)
                writer.write(records[number].labels, bytes(image))
    return written


def test_exchanged_pictures_are_other_data(settings, few_digits, tmp_path):
    """Offsets and labels are the same. A state of a former version, which has no hash of the images, continues."""
    before, after = exchanged(few_digits / 'train.rec', tmp_path)
    assert before.stat().st_size == after.stat().st_size
    settings.update(data_train=str(before), epochs=1, classes=10)
    train(TrainConfig(**settings))
    with pytest.raises(DataError, match=r'the training data differs .*: 96 records, fingerprint (\w+), contents .*was '
                       r'96 records, fingerprint \1, contents'):  # fmt: skip
        resumed(settings, data_train=str(after), epochs=2)
    (state,) = (tmp_path / 'run' / 'checkpoints').glob('newest-*.json')
    card = json.loads(state.read_text())
    training = card['training']
    del training['sha256']
    for data in training['origin']['data'].values():
        assert len(data.pop('contents')) == 64
    training['sha256'] = hashlib.sha256(json.dumps(training, sort_keys=True).encode()).hexdigest()
    state.write_text(json.dumps(card))
    assert resumed(settings, data_train=str(after), epochs=2)['epochs'] == 2


def test_validation_data_may_come_later(settings):
    train(TrainConfig(**{**settings, 'data_val': None, 'epochs': 1}))
    assert resumed(settings)['best']['epoch'] == 2


def test_another_thread_count_is_warned_of(settings, monkeypatch, caplog):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    train(TrainConfig(**{**settings, 'epochs': 1}))
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    with caplog.at_level(logging.INFO):
        resumed(settings, lr=0.01)
    (warning,) = [message for message in caplog.messages if 'last bits' in message]
    assert warning.startswith('OMP_NUM_THREADS 2 (was 1): results may differ')
    assert 'changed since: --epochs 2 (was 1), --lr 0.01 (was 0.05)' in caplog.messages


def test_two_processes_do_not_train_in_one_folder(settings, tmp_path):
    train(TrainConfig(**{**settings, 'epochs': 1}))
    code = (
        'import fcntl, os, sys\nfcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)\n'
        'print("locked", flush=True)\nsys.stdin.read()'
    )
    folder = str(tmp_path / 'run')
    other = subprocess.Popen([sys.executable, '-c', code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b'locked\n'
    with pytest.raises(UsageError, match='another process trains in'):
        resumed(settings)
    other.kill()
    other.wait()
    assert resumed(settings)['epochs'] == 2, 'a lock goes with its process'


def test_a_second_interrupt_stops_at_once(settings):
    def show(batches, total, text):
        for batch in batches:
            signal.raise_signal(signal.SIGINT)  # to this thread: two that wait for it would be one
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)
            yield batch

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs in the background ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            train(TrainConfig(**settings), progress=show)
    finally:
        signal.signal(signal.SIGINT, before)

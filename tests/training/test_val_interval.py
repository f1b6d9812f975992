"""Validations within an epoch: what they record, that training stays as it is, and runs that end around them."""

import hashlib
import json
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import numpy as np
import pytest
from run_folders import assert_same_run, metrics, newest, state

from gluon_cbam.common.errors import Interrupted, RunError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.publishing.publish import _progress_of
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.checkpoint.manager import CheckpointManager
from gluon_cbam.training.loop import validation
from gluon_cbam.training.loop.validation import Validation

pytestmark = pytest.mark.usefixtures('small_network')


@pytest.fixture
def settings(settings):
    return {**settings, 'val_interval': 5}


def run(settings, **changes):
    return train(TrainConfig(**{**settings, **changes}))


def of_kind(folder, *kinds):
    return [record for record in metrics(folder) if record['kind'] in kinds]


def best_files(folder):
    found = {}
    for path in sorted((folder / 'checkpoints').glob('best*.json')):
        card = json.loads(path.read_text())
        assert path.with_suffix('.params').exists()
        found[path.stem] = (card['training'], card['metrics'])
    return found


def test_what_is_recorded_is_the_score_of_the_network_at_that_step(settings, few_digits, tmp_path, small_network):
    summary = run(settings, keep_best=9)
    records = of_kind(tmp_path / 'run', 'validation', 'epoch')
    assert [(each['kind'], each['epoch'], each['epochs_done'], each['step']) for each in records] == [
        ('validation', 1, 0.4167, 5), ('validation', 1, 0.8333, 10), ('epoch', 1, 1, 12),
        ('validation', 2, 1.25, 15), ('validation', 2, 1.6667, 20), ('epoch', 2, 2, 24),
    ]  # fmt: skip
    best = max(records, key=lambda each: (each['val_top1'], -each['step']))
    assert summary['best'] == {'epoch': best['epoch'], 'step': best['step'], 'top1': best['val_top1']}
    names = [f'-step{each["step"]:08d}' if each['kind'] == 'validation' else '' for each in records]
    for each, name in zip(records, names):
        path = (
            tmp_path / 'run' / 'checkpoints' / f'best-epoch{each["epoch"]:04d}{name}-top1-{each["val_top1"]:.4f}.params'
        )
        assert json.loads(path.with_suffix('.json').read_text())['training'] == {
            'epoch': each['epoch'], 'step': each['step'],
        }  # fmt: skip
        net = small_network('cbamnet_tiny', 10)
        net.load_parameters(str(path))
        scored = evaluate(net, RecordFile(few_digits / 'val.rec'), Preprocessing(8, 1.0), [mx.cpu()], 48, 1)
        assert (scored.top1, scored.loss) == (each['val_top1'], pytest.approx(each['val_loss'], rel=1e-6))
    assert len({each['val_loss'] for each in records}) == 6


def test_the_end_of_an_epoch_is_validated_once(settings, tmp_path):
    run(settings, val_interval=4)
    records = of_kind(tmp_path / 'run', 'validation', 'epoch')
    assert [(each['kind'], each['step']) for each in records] == [
        ('validation', 4), ('validation', 8), ('epoch', 12), ('validation', 16), ('validation', 20), ('epoch', 24),
    ]  # fmt: skip


def test_without_validation_data_there_are_none(settings, tmp_path):
    """Recipes have an interval, whatever the data."""
    run(settings, data_val=None)
    assert not of_kind(tmp_path / 'run', 'validation')


@pytest.mark.parametrize('cpus', [1, 2])
@pytest.mark.parametrize('ema', [0.0, 0.9])
def test_no_weight_changes(settings, tmp_path, small_network, cpus, ema):
    """Of several devices, the running statistics do in their last bits: their mean is set once more."""
    small_network.dropout = 0.5
    settings.update(cpus=cpus, batch_size=8 // cpus, ema=ema)
    run(settings)
    run(settings, val_interval=None, output=str(tmp_path / 'plain'))
    mine, expected = state(tmp_path / 'run'), state(tmp_path / 'plain')
    for name, value in expected.items():
        if cpus > 1 and ('running' in name or name.startswith('device_statistics')):
            assert np.allclose(mine[name], value, rtol=1e-5, atol=1e-6), name
        else:
            assert np.array_equal(mine[name], value), name


def test_the_disk_of_any_moment_of_a_run_is_enough(settings, tmp_path, small_network, disks_before_each_write):
    small_network.dropout = 0.5
    settings.update(keep_best=3, save_interval=5, ema=0.9)
    with disks_before_each_write(tmp_path / 'run') as disks:
        run(settings)
    for disk in disks[:: int(os.environ.get('EVERY_DISK', '16'))]:
        run(settings, output=str(disk), resume='auto')
        assert_same_run(disk, tmp_path / 'run')
        assert best_files(disk) == best_files(tmp_path / 'run')


def dying(patch, owner, name, time):
    """The call of this number, from 1, ends the run at once, as a crash does."""
    original, calls = getattr(owner, name), []

    def die(*arguments):
        calls.append(name)
        if len(calls) == time:
            raise KeyboardInterrupt
        return original(*arguments)

    patch.setattr(owner, name, die)


@pytest.mark.parametrize('cpus', [1, 2])
@pytest.mark.parametrize(
    ('owner', 'name', 'time'),
    [
        (Validation, 'within_epoch', 2),  # before it
        (validation, 'evaluate', 4),  # within the one at step 15, the fourth of all
        (CheckpointManager, 'validated', 4),  # after its record, before its state
        (CheckpointManager, 'write_best', 4),  # after its state
    ],
)
def test_a_run_that_ends_around_a_validation(settings, tmp_path, monkeypatch, owner, name, time, cpus):
    """Bit for bit with two devices, too: states of a validation have the mean of the statistics.

    One in a validation has it before it, whatever was recorded after it was saved.
    """
    settings.update(keep_best=3, cpus=cpus, batch_size=8 // cpus, save_minutes=0, save_interval=5)
    run(settings, output=str(tmp_path / 'unbroken'))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        dying(patch, owner, name, time)
        run(settings)
    run(settings, resume='auto')
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')
    assert best_files(tmp_path / 'run') == best_files(tmp_path / 'unbroken')


def test_a_signal_in_a_validation_does_not_train_again(settings, tmp_path, monkeypatch):
    """The state that it leaves has the validation before it, that of the resumed run behind it."""
    run(settings, output=str(tmp_path / 'unbroken'))
    score, scored = validation.evaluate, []

    def evaluate_once_told(*arguments):
        if len(scored) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        scored.append(arguments)
        return score(*arguments)

    monkeypatch.setattr(validation, 'evaluate', evaluate_once_told)
    with pytest.raises(Interrupted, match='SIGTERM at step 10'):
        run(settings)
    assert newest(tmp_path / 'run').name == 'newest-epoch0000-step00000010.params'
    run(settings, resume='auto')
    assert len(scored) == 7, 'six, of which one was broken off'
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


def test_after_a_state_that_has_its_validation_there_is_no_other(settings, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        dying(patch, CheckpointManager, 'write_best', 2)
        run(settings)
    assert newest(tmp_path / 'run').name == 'newest-epoch0000-step00000010_validated.params'
    score, scored = validation.evaluate, []
    monkeypatch.setattr(validation, 'evaluate', lambda *arguments: scored.append(0) or score(*arguments))
    run(settings, resume='auto')
    assert len(scored) == 4


def scores(monkeypatch, values):
    """Validations find these top-1, one after the other."""
    score, left = validation.evaluate, list(values)
    monkeypatch.setattr(validation, 'evaluate', lambda *args: replace(score(*args), top1=left.pop(0), loss=0.5))


def test_early_stop_counts_epochs_without_a_better_validation_in_or_after_them(settings, tmp_path, monkeypatch, caplog):
    scores(monkeypatch, [0.5, 0.4, 0.625, 0.25, 0.5, 0.125, 0.5, 0.125, 0.99])
    with caplog.at_level(logging.INFO):
        summary = run(settings, val_interval=6, early_stop=2, epochs=9, keep_best=2)
    assert (summary['epochs'], summary['stopped_early']) == (4, True)
    assert summary['best'] == {'epoch': 2, 'step': 18, 'top1': 0.625}
    assert 'epoch 2/9, step 18: validation loss 0.5000, top-1 0.6250 (' in ' '.join(caplog.messages)
    assert 'stopped early: 2 epochs without a better validation' in caplog.messages
    assert set(best_files(tmp_path / 'run')) == {
        'best', 'best-epoch0001-step00000006-top1-0.5000', 'best-epoch0002-step00000018-top1-0.6250',
    }  # fmt: skip


def test_a_loss_that_diverged_is_not_validated(settings, tmp_path, monkeypatch):
    scores(monkeypatch, [])  # a validation would fail
    with pytest.raises(RunError, match='diverged'):
        run(settings, lr=1e20, val_interval=3, log_interval=50)


def test_states_of_a_version_without_it_continue(settings, tmp_path):
    """Their best validations were after epochs; what comes later is as if they had the new fields."""
    settings.update(keep_best=2, epochs=1, val_interval=None)
    for name in ('new', 'old'):
        run(settings, output=str(tmp_path / name))
    path = newest(tmp_path / 'old', '.json')
    card = json.loads(path.read_text())
    training, progress = card['training'], card['training']['progress']
    del training['sha256'], progress['validation_step'], progress['best']['step'], progress['kept'][0]['step']
    training['sha256'] = hashlib.sha256(json.dumps(training, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(card))
    (tmp_path / 'old' / 'checkpoints' / 'best.json').unlink()  # it is written again where the state has its step
    summaries = [
        run(settings, output=str(tmp_path / name), resume='auto', epochs=2, val_interval=5) for name in ('new', 'old')
    ]
    assert summaries[0]['best'] == summaries[1]['best']
    assert_same_run(tmp_path / 'old', tmp_path / 'new')
    assert best_files(tmp_path / 'old') == best_files(tmp_path / 'new')


def test_the_command_and_the_card_say_at_which_step(settings, tmp_path, monkeypatch, cbam_here):
    """The best one is at step 15, within the second epoch."""
    scores(monkeypatch, [0.25, 0.5, 0.5, 0.75, 0.5, 0.5])
    flags = [part for name, value in settings.items() for part in (f'--{name.replace("_", "-")}', value)]
    lines = cbam_here('train', *flags).stdout.splitlines()
    assert lines[-2] == f'best top-1 0.7500 in epoch 2, step 15: {tmp_path}/run/checkpoints/best.params'
    source = SimpleNamespace(
        task=get_task(), directory=tmp_path / 'run', settings={'epochs': 2}, params=Path('best.params')
    )
    assert _progress_of(source) == 'epoch 2 (step 15), the best of 2'

"""The dry run."""

import json
import shutil
from collections import namedtuple

import numpy as np
import pytest
from click.testing import CliRunner

from gluon_cbam import get_model
from gluon_cbam.cli.main import cli
from gluon_cbam.common import memory
from gluon_cbam.common.errors import UsageError
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.loop import dry_run
from gluon_cbam.training.loop.dry_run_report import _curve, _milestones


@pytest.fixture
def settings(digits, tmp_path):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'output': str(tmp_path / 'out' / 'run'),
        'image_size': 8, 'batch_size': 64, 'cpus': 2, 'epochs': 40,
    }  # fmt: skip


def files(folder):
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob('*')}


def flags(settings):
    return ['--dry-run', *(part for name, value in settings.items() for part in (f'--{name.replace("_", "-")}', value))]


def test_text_and_json(settings, tmp_path):
    before = memory.peak()
    report = dry_run.dry_run(TrainConfig(**settings))
    assert (report.steps_per_epoch, report.steps, report.images_per_step) == (11, 440, 128)
    trained = [p for p in get_model('cbamnet_tiny', classes=10).collect_params().values() if p.grad_req != 'null']
    assert report.parameters == sum(np.prod(parameter.shape) for parameter in trained)
    assert [report.learning_rates[epoch] for epoch in (0, 29, 30, 40)] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert report.run_seconds == pytest.approx(440 * (report.step_seconds + report.load_seconds))
    assert 1.5 < report.loss < 4
    # of the process, so that other tests count; Linux counts the pages of each thread apart, and is off by a few
    assert max(before - 2**20, 50e6) <= report.peak_bytes <= memory.peak() + 2**20
    assert report.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    assert report.checkpoint_bytes == pytest.approx(8 * 4 * report.parameters, rel=0.05)
    assert '11 an epoch, 40 epochs: 440' in report.as_text()
    assert '0.1 from epoch 1, 0.01 from epoch 31' in report.as_text()
    assert (report.validations, report.val_interval) == (0, None)


@pytest.mark.parametrize(
    ('interval', 'count', 'text'),
    [
        (None, 40, 'after each epoch: 40'),
        (4, 150 - 10, 'after each epoch and every 4 steps: 140'),  # 40 and 110 - 10, as 44, 88, ... end epochs
    ],
)
def test_validations(settings, digits, interval, count, text):
    report = dry_run.dry_run(TrainConfig(**settings, data_val=str(digits / 'val.rec'), val_interval=interval))
    assert (report.validations, report.val_interval) == (count, interval)
    assert text in report.as_text()


def test_the_peak_is_not_that_of_the_process_that_started_it(settings, cbam):
    larger = np.ones(600 << 20, np.uint8)
    process = cbam('train', *flags(settings), '--json')
    assert process.returncode == 0, process.stderr
    assert 50e6 < json.loads(process.stdout)['peak_bytes'] < larger.nbytes


def test_it_writes_nothing(settings, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = files(digits)
    result = CliRunner().invoke(cli, ['train', *map(str, flags(settings)), '--json'])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)['steps'] == 440
    assert files(digits) == before
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small(settings, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(dry_run.shutil, 'disk_usage', lambda path: usage(0, 0, 1_000_000))
    with pytest.raises(OSError, match=r'checkpoints need about 2.7 MB, 1.0 MB are free for .*: make room'):
        dry_run.dry_run(TrainConfig(**settings))


def test_mistakes_are_found_as_by_a_real_run(settings, tmp_path):
    (tmp_path / 'out' / 'run').mkdir(parents=True)
    (tmp_path / 'out' / 'run' / 'config.yaml').write_text('epochs: 3')
    with pytest.raises(UsageError, match='holds a run'):
        dry_run.dry_run(TrainConfig(**settings))
    with pytest.raises(UsageError, match='--network is needed'):
        dry_run.dry_run(TrainConfig())


def test_the_curve_in_text():
    assert _curve([0.0, 0.5, 1.0]) == '▁▅█'
    assert _curve([0.0, 0.0]) == '▁▁'
    assert len(_curve([0.1] * 200)) == 60
    assert _milestones([1, 1, 0.1, 0.1]) == [(1, 1), (3, 0.1)]
    assert [epoch for epoch, _ in _milestones(list(range(80)))] == [1, 11, 21, 31, 41, 51, 61, 71]

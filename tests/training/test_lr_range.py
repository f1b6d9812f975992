"""The learning-rate range test: its curve, its smoothing, its suggestion; and that it keeps nothing."""

import json

import cv2
import numpy as np
import pytest
from checks import assert_one_line

from gluon_cbam.training.config.saved_run import read_metrics
from gluon_cbam.training.loop.lr_range import smoothed, suggest


@pytest.fixture
def flags(digits):
    return ['train', '--network', 'cbamnet_tiny', '--data-train', digits / 'train.rec', '--image-size', 16, '-b', 60,
            '--augment', 'none', '-j', 1]  # fmt: skip


def test_smoothing():
    losses = np.random.RandomState(0).rand(30)
    weights = np.array([[0.8 ** (row - column) * (column <= row) for column in range(30)] for row in range(30)])
    assert smoothed(losses, 0.8) == pytest.approx(weights @ losses / weights.sum(axis=1))
    assert smoothed([3.0] * 5) == pytest.approx([3.0] * 5)


@pytest.mark.parametrize('curvature', [0.1, 1, 30])
def test_the_suggestion_for_a_parabola(curvature):
    """Gradient descent on h/2 w^2 diverges beyond 2/h, and the rates scale with 1/h."""
    rates = 10 ** np.linspace(-6, 3, 200)
    w, losses = 1.0, []
    for rate in rates:
        losses.append(1 + curvature / 2 * w**2)  # 1: a loss that nothing takes away
        w *= 1 - rate * curvature
        if w**2 > 10:
            break
    found = suggest(rates[: len(losses)], losses)
    assert 1e-3 < found.steepest * curvature < 2
    assert 10 * found.minimum_tenth == pytest.approx(rates[int(np.argmin(losses))])
    assert 10 * found.minimum_tenth * curvature < 3
    assert suggest(rates[:50], np.linspace(1, 2, 50)) is None  # never falls
    assert suggest(rates[:5], [5, 4, 3, 2, 1]) is None


def test_noise_at_the_beginning_suggests_nothing():
    rates = np.geomspace(1e-6, 1, 100)
    losses = np.concatenate([[2.2, 1.2, 1.4, 1.9], np.full(56, 2), np.linspace(2, 1.5, 20), np.linspace(1.5, 9, 20)])
    assert min(suggest(rates, losses)) > 1e-3


def test_the_steps_are_those_of_training(cbam_here, flags, tmp_path):
    """With a rate that hardly changes, the losses are those of a run with that rate."""
    done = cbam_here(*flags, '--find-lr', tmp_path / 'plots' / 'a.png', '--find-lr-min', 0.05,
                     '--find-lr-max', 0.0500001, '--find-lr-steps', 12, '--json')  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    run = cbam_here(*flags, '--epochs', 1, '--lr', 0.05, '--log-interval', 1, '--output', tmp_path / 'run')
    assert run.returncode == 0, run.stderr
    losses = [entry['loss'] for entry in read_metrics(tmp_path / 'run') if entry['kind'] == 'interval']
    # the rates grow by 1e-5, and rounding errors grow with the steps
    assert found['losses'][:8] == pytest.approx(losses[:8], rel=1e-3)
    assert found['learning_rates'] == pytest.approx([0.05] * 12, rel=1e-5)
    assert found['suggestion'] == min(found['steepest'], found['minimum_tenth'])
    assert [path.name for path in (tmp_path / 'plots').iterdir()] == ['a.png']
    assert cv2.imread(str(tmp_path / 'plots' / 'a.png')).std() > 10


def test_it_ends_where_the_loss_diverges_and_keeps_only_the_plot(cbam_here, flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cbam_here(*flags, '--find-lr', '--find-lr-min', 1e-4, '--find-lr-max', 1e6, '--find-lr-steps', 60,
                     '--cpus', 2, '--output', 'out', '--json')  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found['diverged'] and len(found['losses']) < 60
    assert found['images_per_step'] == 120
    assert 1e-3 < found['suggestion'] < 10
    assert [path.as_posix() for path in (tmp_path / 'out').rglob('*')] == [f'{tmp_path}/out/lr_range.png']
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_mistakes(cbam_here, flags, tmp_path):
    for arguments, code, words in [
        (('a.jpg',), 2, 'the plot is a .png file'),
        (('a.png', '--find-lr-min', 1, '--find-lr-max', 1), 2, 'must grow'),
        (('a.png', '--kv-store', 'dist_sync'), 2, 'in one process'),
        ((tmp_path / 'a.png', '--find-lr-min', 1e4, '--find-lr-max', 1e5, '--find-lr-steps', 10), 1, 'does not fall'),
    ]:
        assert words in assert_one_line(cbam_here(*flags, '--find-lr', *arguments), code)

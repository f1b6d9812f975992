"""Mixup and cutmix against their papers in numpy."""

import mxnet as mx
import numpy as np
import pytest
from steps import SIZE, Training, batch

from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy
from gluon_cbam.tasks.classification.mixup import Mix, MixSampler

IMAGES = np.random.RandomState(0).randn(5, 3, 8, 8).astype(np.float32)


def test_mixup_blends_with_the_partner():
    x = mx.nd.array(IMAGES)
    assert np.allclose(Mix(0.3).images(x).asnumpy(), 0.3 * IMAGES + 0.7 * IMAGES[::-1], atol=1e-6)
    assert np.array_equal(x.asnumpy(), IMAGES)


def test_cutmix_puts_the_partners_box():
    expected = IMAGES.copy()
    expected[:, :, 2:5, 3:8] = IMAGES[::-1, :, 2:5, 3:8]
    x = mx.nd.array(IMAGES)
    assert np.array_equal(Mix(1 - 15 / 64, (2, 5, 3, 8)).images(x).asnumpy(), expected)
    assert np.array_equal(x.asnumpy(), IMAGES)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_the_loss_of_the_mixed_target(smoothing):
    logits, labels = np.random.RandomState(1).randn(5, 4), np.array([0, 1, 2, 3, 3])
    targets = np.eye(4)[labels] * (1 - smoothing) + smoothing / 4
    targets = 0.3 * targets + 0.7 * targets[::-1]
    log_probability = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    loss = Mix(0.3).loss(SmoothedCrossEntropy(smoothing), mx.nd.array(logits), mx.nd.array(labels))
    assert np.abs(loss.asnumpy() + (targets * log_probability).sum(1)).max() < 1e-5
    assert Mix(0.3).labels(mx.nd.array(labels)).asnumpy().tolist() == labels[::-1].tolist()
    assert Mix(0.6).labels(mx.nd.array(labels)).asnumpy().tolist() == labels.tolist()


def test_shares_are_beta_and_boxes_have_their_area():
    draws = [MixSampler(0.4, 0, 32, seed=3)(step) for step in range(2000)]
    shares = np.array([mix.share for mix in draws])
    assert all(mix.box is None for mix in draws)
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)  # of Beta(a, a)
    for mix in (MixSampler(0, 1.0, 32, seed=3)(step) for step in range(300)):
        top, bottom, left, right = mix.box
        assert 0 <= top <= bottom <= 32 and 0 <= left <= right <= 32  # noqa: PT018
        assert mix.share == pytest.approx(1 - (bottom - top) * (right - left) / 1024)


def test_random_numbers_depend_on_seed_step_batch_and_process():
    both = MixSampler(0.2, 1.0, 32, seed=3)
    assert [both(step) for step in range(20)] == [MixSampler(0.2, 1.0, 32, seed=3)(step) for step in range(20)]
    kinds = [both(step).box is None for step in range(400)]
    assert 160 < sum(kinds) < 240
    others = [MixSampler(0.2, 1.0, 32, seed=4)(5), MixSampler(0.2, 1.0, 32, seed=3, rank=1)(5), both(6), both(5, 1)]
    assert both(5) not in others
    assert MixSampler(0, 0, 32, seed=3)(5).share == 1


def test_a_step_trains_on_the_mixed_batch():
    """The gradient is that of the mixed images and targets, computed without the mixing code."""
    training = Training(mixup=0.5, label_smoothing=0.1, seed=11)
    share = MixSampler(0.5, 0, SIZE, seed=11)(0).share
    assert 0.01 < share < 0.99
    one = batch(0)
    training._step([one], 0)
    got = training.gradients()
    x, y = one.images.transpose((0, 3, 1, 2)), one.labels.one_hot(4) * 0.9 + 0.1 / 4
    targets = share * y + (1 - share) * y[::-1]
    with mx.autograd.record():
        loss = -(targets * mx.nd.log_softmax(training.net(share * x + (1 - share) * x[::-1]))).sum()
    loss.backward()
    for name, value in training.gradients().items():
        assert np.abs(value - got[name]).max() < 1e-5, name

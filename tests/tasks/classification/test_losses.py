"""The losses of classification against their formulas in numpy, and their gradients in training steps."""

import mxnet as mx
import numpy as np
import pytest
from steps import Training, batch

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.loss import BinaryCrossEntropy
from gluon_cbam.tasks.classification.mixup import Mix, MixSampler
from gluon_cbam.training.config.task_settings import make_config

RANDOM = np.random.RandomState(3)
LOGITS = RANDOM.randn(6, 4) * 3
LABELS = np.array([0, 1, 2, 3, 3, 0])


def binary(logits, targets):
    """Binary cross-entropy of every logit."""
    probability = 1 / (1 + np.exp(-logits))
    return -(targets * np.log(probability) + (1 - targets) * np.log(1 - probability))


def smoothed(labels, smoothing, classes=4):
    """``on_value`` and ``off_value`` of timm's one-hot targets."""
    off = smoothing / classes
    return np.where(np.eye(classes)[labels] > 0, 1 - smoothing + off, off)


@pytest.mark.parametrize('threshold', [None, 0.2])
def test_binary_cross_entropy_is_the_mean_over_the_classes(threshold):
    targets = RANDOM.rand(6, 4)
    got = BinaryCrossEntropy(threshold)(mx.nd.array(LOGITS), mx.nd.array(targets)).asnumpy()
    used = targets if threshold is None else targets > threshold
    assert np.allclose(got, binary(LOGITS, used).mean(axis=1), rtol=1e-5)


def test_binary_cross_entropy_of_large_logits_is_finite():
    logits = mx.nd.array([[1e4, -1e4, 0]])
    assert np.allclose(BinaryCrossEntropy()(logits, mx.nd.array([[0, 1, 1]])).asnumpy(), (2e4 + np.log(2)) / 3)


def test_targets_of_mixed_images_are_dense():
    got = Mix(0.3).targets(mx.nd.array(LABELS), 4, 0.1).asnumpy()
    assert np.allclose(got, 0.3 * smoothed(LABELS, 0.1) + 0.7 * smoothed(LABELS[::-1], 0.1))
    assert np.array_equal(Mix().targets(mx.nd.array(LABELS), 4).asnumpy(), np.eye(4)[LABELS])


@pytest.mark.parametrize('threshold', [None, 0.15])
def test_a_step_of_binary_cross_entropy_trains_on_mixed_targets(threshold):
    """The gradients of the logits are (sigmoid - target) / K; a threshold of the mixed target is no mixture."""
    training = Training(loss='bce', bce_target_threshold=threshold, mixup=0.5, label_smoothing=0.1, seed=11)
    share, one = MixSampler(0.5, 0, 6, seed=11)(0).share, batch(0)
    assert min(share, 1 - share) > 0.15
    training._step([one], 0)
    got = training.gradients()
    labels = one.labels.asnumpy().astype(int)
    targets = share * smoothed(labels, 0.1) + (1 - share) * smoothed(labels[::-1], 0.1)
    targets = targets if threshold is None else (targets > threshold) * 1.0
    assert threshold is None or targets.sum() > len(labels)
    x = one.images.transpose((0, 3, 1, 2))
    with mx.autograd.record():
        logits = training.net(share * x + (1 - share) * x[::-1])
    logits.backward((mx.nd.sigmoid(logits) - mx.nd.array(targets)) / 4)
    for name, value in training.gradients().items():
        assert np.abs(value - got[name]).max() < 1e-5, name


def test_a_threshold_without_its_loss_is_refused():
    config = make_config(network='cbamnet_tiny', data_train='a.rec', bce_target_threshold=0.2)
    with pytest.raises(UsageError, match='--bce-target-threshold 0.2 is of --loss bce, got cross_entropy'):
        get_task().check_settings(config.as_dict())

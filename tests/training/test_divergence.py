"""Detection of a run that has diverged: which losses are taken for an explosion, and which are not."""

import math

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import RunError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.mixup import Mix
from gluon_cbam.tasks.classification.objective import ClassificationObjective
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.training.config.task_settings import make_config
from gluon_cbam.training.loop.divergence import DivergenceCheck, about_step


def objective(classes, **settings):
    config = make_config(network='cbamnet_tiny', data_train='a.rec', classes=classes, image_size=8, **settings)
    return ClassificationObjective(config.as_dict(), Preprocessing(8, 1.0))


@pytest.mark.parametrize('classes', [2, 10, 100_000])
@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_the_worst_losses_of_healthy_runs(classes, smoothing):
    """Every image wrong by the largest margin that normalized features give, at insightface's scale of 64."""
    logits = mx.nd.zeros((2, classes)) - 64
    logits[:, 0] = 64
    loss = objective(classes, label_smoothing=smoothing)._criterion(logits, mx.nd.array([1, 1]), Mix()).asnumpy()
    assert 100 < loss[0] < 200
    check = DivergenceCheck(objective(classes).largest_loss)
    check(np.array([math.log(classes), loss[0], math.log(classes), 1e-4, loss[0]]), range(1, 6), 1)
    check(np.array([loss[0]]), [6], 1)


@pytest.mark.parametrize('loss', [5e27, 1e4, math.nan, math.inf, -5e27])
def test_an_explosion(loss):
    check = DivergenceCheck(objective(10).largest_loss)
    check(np.array([2.3, 2.2]), [1, 2], 1)
    with pytest.raises(RunError, match=r'at step 5 \(epoch 2\).*: the run diverged: use a smaller --lr'):
        check(np.array([2.3, 40.0, loss, loss]), range(3, 7), 2)


def test_a_run_may_begin_with_a_high_loss():
    """For instance one that is fine-tuned from weights of another scale."""
    check = DivergenceCheck(objective(10).largest_loss)
    check(np.array([5e4, 2e5, 3e3, 1.0, 5e4]), range(1, 6), 1)
    with pytest.raises(RunError, match=r'5e\+27 at step 6 .* more than 5e\+07'):
        check(np.array([5e27]), [6], 1)


def test_other_tasks():
    """Squared errors of a regression are of any size."""
    check = DivergenceCheck(Objective.largest_loss)
    check(np.array([1e-9, 1e9, 0.0]), [1, 2, 3], 1)
    with pytest.raises(RunError, match=r'5e\+27 at step 4'):
        check(np.array([5e27]), [4], 1)


def test_the_message_has_the_terms_and_the_records():
    faces = get_task('faces')
    check = DivergenceCheck(objective(10).largest_loss)
    check(np.array([2.3]), [1], 1)
    means = np.array([[2.0, 30, 0.5, 20], [math.nan, 30, math.inf, 20]])

    def about(number):
        return about_step(faces, means[number].tolist(), 'train.rec', range(40 * number, 60))

    with pytest.raises(RunError) as caught:  # step 5 was skipped: its gradients overflowed
        check(means[:, 0], [4, 6], 2, about)
    numbers = ', '.join(map(str, range(40, 56)))
    assert str(caught.value).startswith(
        f'the loss is nan at step 6 (epoch 2) (hard inf), of records {numbers}, ... of train.rec: the run diverged'
    )

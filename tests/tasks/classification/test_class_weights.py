"""Weights of classes: torch's weighted mean in numpy, however a step is divided; files, balance, and resuming."""

import mxnet as mx
import numpy as np
import pytest
from steps import CLASSES, SIZE, batch, halves

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.classification.class_weights import balanced, weights_in
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.classification.objective import ClassificationObjective
from gluon_cbam.training import make_config, train

WEIGHTS = np.array([0.2, 3.0, 0.0, 1.5])
AS_THEY_ARE = Preprocessing(SIZE, 1.0, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))


class Linear(mx.gluon.nn.HybridBlock):
    def __init__(self):
        super().__init__()
        self.fc = mx.gluon.nn.Dense(CLASSES, in_units=3 * SIZE * SIZE, weight_initializer=mx.init.Normal(0.3))

    def hybrid_forward(self, F, x):
        return self.fc(x)


@pytest.fixture
def net():
    mx.random.seed(5)
    block = Linear()
    block.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    return block


def mean_loss(net, step, group=None, **settings):
    """The mean over the images of a step of batches, each divided over devices, as the training step has it."""
    config = make_config(
        network='n', data_train='a.rec', classes=CLASSES, image_size=SIZE, seed=4, **settings
    ).as_dict()  # fmt: skip
    objective, total, images = ClassificationObjective(config, AS_THEY_ARE, 0, WEIGHTS), 0, 0
    if group:
        objective.join(group)
    for inputs in objective.prepare_step(step, 0):
        for losses, _ in objective.losses(net, inputs):
            total, images = total + losses.sum().asscalar(), images + len(losses)
    return total / images


def on(parts):
    """Parts of a batch on devices of their own."""
    return [type(part)(*(array.as_in_context(mx.cpu(device)) for array in part)) for device, part in enumerate(parts)]


def terms(net, whole, share, smoothing):
    """-log(p) of the mixed images, (N, K), and both labels as one-hot rows with their shares."""
    x = whole.images.asnumpy().transpose(0, 3, 1, 2)
    x = share * x + (1 - share) * x[::-1]
    logits = x.reshape(len(x), -1) @ net.fc.weight.data(mx.cpu(0)).asnumpy().T
    hot = np.eye(CLASSES)[whole.labels.asnumpy().astype(int)]
    hot = share * hot + (1 - share) * hot[::-1]
    return np.log(np.exp(logits).sum(1, keepdims=True)) - logits, hot, (1 - smoothing) * hot + smoothing / CLASSES


@pytest.mark.parametrize('smoothing', [0, 0.1])
def test_the_mean_is_divided_by_the_weights_however_a_step_is_divided(net, smoothing):
    whole = batch(0)
    loss, hot, targets = terms(net, whole, 1, smoothing)
    expected = (loss * targets * WEIGHTS).sum() / (hot * WEIGHTS).sum()
    for step in ([[whole]], [on(halves(whole))], [[part] for part in halves(whole)]):
        assert mean_loss(net, step, label_smoothing=smoothing) == pytest.approx(expected, rel=1e-5)


def test_a_mixed_image_has_the_mixed_weight(net):
    whole = batch(0)
    loss, hot, targets = terms(net, whole, MixSampler(0.5, 0, SIZE, seed=4)(0).share, 0.1)
    expected = (loss * targets * WEIGHTS).sum() / (hot * WEIGHTS).sum()
    assert mean_loss(net, [[whole]], label_smoothing=0.1, mixup=0.5) == pytest.approx(expected, rel=1e-5)


def test_binary_cross_entropy_weighs_its_terms(net):
    """As torch's binary_cross_entropy_with_logits(weight=...): the mean is over images and classes."""
    whole = batch(0)
    x = whole.images.asnumpy().transpose(0, 3, 1, 2).reshape(8, -1)
    logits = x @ net.fc.weight.data(mx.cpu(0)).asnumpy().T
    hot = np.eye(CLASSES)[whole.labels.asnumpy().astype(int)]
    expected = (WEIGHTS * (np.log1p(np.exp(logits)) - hot * logits)).mean()
    assert mean_loss(net, [on(halves(whole))], loss='bce') == pytest.approx(expected, rel=1e-5)


def test_balanced_is_the_inverse_frequency():
    class Data:
        labels, path = np.array([0, 0, 0, 1, 2, 2], np.float32), 'a.rec'

        def __len__(self):
            return 6

    assert np.allclose(balanced(Data(), 3), [6 / 9, 2, 1])
    with pytest.raises(UsageError, match='1 of 4 classes have no images in a.rec, the first is class 3'):
        balanced(Data(), 4)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1\n2', 'has 2 lines, for 3 classes'),
        ('1\n2\nheavy', ":3: a weight is 0 or from 1e-06 to 1e\\+06, got 'heavy'"),
        ('1\n-2\n1', ":2: a weight is 0 or .*, got '-2'"),
        ('1\nnan\n1', ':2: a weight is'),
        ('inf\n1\n1', ':1: a weight is'),
        ('1\n1e-50\n1', ':2: a weight is'),  # 0 in float32: a loss of 0
        ('1\n1\n3e38', ':3: a weight is'),  # the sum of a step is infinite in float32
        ('1\n\n1', ':2: a weight is'),
        ('0\n0\n0', 'all weights are 0'),
        ('', 'has 1 lines, for 3 classes'),
    ],
)
def test_a_file_that_is_wrong(tmp_path, text, message):
    path = tmp_path / 'weights.txt'
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        weights_in(path, 3)


def test_a_file_may_end_in_blank_lines(tmp_path):
    path = tmp_path / 'weights.txt'
    path.write_text('1\n2.5 \n0\n\n')
    assert weights_in(path, 3).tolist() == [1, 2.5, 0]
    with pytest.raises(UsageError, match='no such file'):
        weights_in(tmp_path / 'other.txt', 3)


def test_other_weights_are_refused_when_a_run_is_resumed(digits, tmp_path):
    """The path may be another one; equal weights from a file and from the frequencies are equal."""
    path, equal = tmp_path / 'weights.txt', tmp_path / 'equal.txt'
    path.write_text('\n'.join(str(1 + number) for number in range(10)))
    equal.write_text(path.read_text())
    given = {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'val.rec'), 'output': str(tmp_path / 'run'),
        'image_size': 8, 'batch_size': 48, 'workers': 1, 'augment': 'none',
    }  # fmt: skip
    train(make_config(**given, epochs=1, class_weights=str(path)))
    for other in (None, 'balanced'):
        with pytest.raises(DataError, match='--class-weights differs from the run to resume: SHA-256'):
            train(make_config(**given, epochs=2, class_weights=other, resume=given['output']))
    assert train(make_config(**given, epochs=2, class_weights=str(equal), resume=given['output']))['epochs'] == 2


class Halves:
    """A process group of this process and another one, which trains on a batch of its own at the same time."""

    rank, size = 0, 2

    def __init__(self, other):
        self.other = other

    def add(self, name, total):
        return total + WEIGHTS[self.other.labels.asnumpy().astype(int)].sum()


def test_processes_share_one_mean(net):
    """The mean of the losses of both processes is that of the whole batch."""
    whole = batch(0)
    parts = halves(whole)
    losses = [mean_loss(net, [[part]], Halves(other)) for part, other in (parts, parts[::-1])]
    assert np.mean(losses) == pytest.approx(mean_loss(net, [[whole]]), rel=1e-5)

"""Weights of positives and distillation of several labels: their definitions in numpy, balance, and resuming."""

import mxnet as mx
import numpy as np
import pytest
from records import encoded, photo

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.multilabel.loss import BinaryDistillationLoss, MultilabelLoss
from gluon_cbam.tasks.multilabel.objective import MultilabelObjective
from gluon_cbam.tasks.multilabel.positive_weights import balanced
from gluon_cbam.training import make_config, train
from gluon_cbam.training.logging import curves
from gluon_cbam.training.setup import prepare

RANDOM = np.random.RandomState(0)
LOGITS, TARGETS, TAUGHT = RANDOM.randn(6, 4) * 3, RANDOM.rand(6, 4), RANDOM.randn(6, 4) * 3
WEIGHTS = np.array([0.5, 3.0, 0.0, 20.0])
PLAIN = Preprocessing(4, 1.0, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))


@pytest.fixture(scope='module', autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, 'draw', lambda *arguments: None)
        yield


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weighted(logits, targets, weights):
    """The formula in the documentation of ``torch.nn.BCEWithLogitsLoss``."""
    p = sigmoid(logits)
    return -(weights * targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean(axis=1)


def arrays(*values):
    return [mx.nd.array(value) for value in values]


@pytest.mark.parametrize('hybridized', [False, True])
def test_the_weight_of_a_class_is_of_its_positives(hybridized):
    loss, plain = MultilabelLoss(), MultilabelLoss()
    for each in (loss, plain):
        each.hybridize(hybridized)
    assert np.allclose(loss(*arrays(LOGITS, TARGETS, WEIGHTS)).asnumpy(), weighted(LOGITS, TARGETS, WEIGHTS), rtol=1e-5)
    assert np.allclose(plain(*arrays(LOGITS, TARGETS)).asnumpy(), weighted(LOGITS, TARGETS, 1), rtol=1e-5)
    far, ones = np.array([[1e4, -1e4]]), np.ones((1, 2))
    assert loss(*arrays(far, ones, [2, 3])).asnumpy() == pytest.approx(3e4 / 2)


def test_the_divergence_is_of_every_decision():
    """The mean over the classes of KL between Bernoulli distributions; its gradient is that of cross-entropy."""
    mine, theirs = sigmoid(LOGITS / 3), sigmoid(TAUGHT / 3)
    divergence = theirs * np.log(theirs / mine) + (1 - theirs) * np.log((1 - theirs) / (1 - mine))
    labels = RANDOM.rand(6)
    expected = 0.3 * labels + 0.7 * 9 * divergence.mean(axis=1)
    assert np.allclose(BinaryDistillationLoss(0.7, 3)(*arrays(labels, LOGITS, TAUGHT)).asnumpy(), expected, rtol=1e-4)
    (logits,) = arrays(LOGITS)
    logits.attach_grad()
    with mx.autograd.record():
        loss = BinaryDistillationLoss(1, 3)(mx.nd.zeros(6), logits, mx.nd.array(TAUGHT))
    loss.backward()
    assert np.allclose(logits.grad.asnumpy(), 3 * (mine - theirs) / 4, atol=1e-5)


def test_the_objective_weighs_mixed_targets_and_learns_from_a_teacher():
    config = make_config(
        task='multilabel', network='n', data_train='a.rec', image_size=4, seed=2, mixup=0.5, teacher='x',
        distill_alpha=0.25, distill_temperature=2,
    )  # fmt: skip
    images, labels = RANDOM.randn(6, 4, 4, 3), RANDOM.randint(0, 2, (6, 4))
    objective, seen = MultilabelObjective(config.as_dict(), PLAIN, 0, WEIGHTS), []

    def teacher(mixed):
        seen.append(mixed.asnumpy())
        return mx.nd.array(TAUGHT)

    objective.learn_from(teacher)
    (inputs,) = objective.prepare([Batch(*arrays(images, labels))], 0, 0)
    share, x = MixSampler(0.5, 0, 4, seed=2)(0).share, images.transpose(0, 3, 1, 2)
    assert np.allclose(seen[0], share * x + (1 - share) * x[::-1], atol=1e-5)
    losses, _ = objective.loss(lambda x: mx.nd.array(LOGITS), inputs)
    mine, theirs = sigmoid(LOGITS / 2), sigmoid(TAUGHT / 2)
    divergence = theirs * np.log(theirs / mine) + (1 - theirs) * np.log((1 - theirs) / (1 - mine))
    mixed = share * labels + (1 - share) * labels[::-1]
    expected = 0.75 * weighted(LOGITS, mixed, WEIGHTS) + 0.25 * 4 * divergence.mean(axis=1)
    assert np.allclose(losses.asnumpy(), expected, rtol=1e-4)
    assert objective.largest_loss == pytest.approx(20000 * np.log(2))


def write(path, labels):
    with RecordWriter(path) as writer:
        for number, each in enumerate(labels):
            writer.write(each, encoded(photo(8, 8, number)))
    return path


def test_balanced_is_negatives_over_positives(tmp_path):
    records = MultiLabelRecords(write(tmp_path / 'a.rec', [[1, 0], [0, 1], [1, 1], [1, 0], [1, 0]]))
    assert balanced(records).tolist() == [1 / 4, 3 / 2]
    for column, where in (([0, 0], 'no image'), ([1, 1], 'all images')):
        records = MultiLabelRecords(write(tmp_path / 'b.rec', [[1, column[0]], [0, column[1]]]))
        with pytest.raises(
            UsageError, match=f'--class-weights balanced: class 1 is on {where} of .*b.rec: give a FILE'
        ):
            balanced(records)


def settings(data, output, **changes):
    return {
        'task': 'multilabel', 'network': 'cbamnet_tiny', 'data_train': str(data), 'output': str(output),
        'image_size': 8, 'batch_size': 4, 'workers': 1, 'augment': 'none', 'lr': 0.01, **changes,
    }  # fmt: skip


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp('labels') / 'a.rec', [[1, 0], [0, 1], [1, 1], [1, 0], [0, 0], [1, 0], [0, 0], [0, 1]]
    )


@pytest.fixture(scope='module')
def teacher(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('teacher') / 'run'
    train(make_config(**settings(data, folder), epochs=1, data_val=str(data)))
    return folder


def test_a_run_resumes_with_the_same_weights_and_teacher_alone(data, teacher, tmp_path):
    given = settings(data, tmp_path / 'run', class_weights='balanced', teacher=str(teacher))
    train(make_config(**given, epochs=1))
    for changes, name in (({'class_weights': None}, '--class-weights'), ({'teacher': None}, '--teacher')):
        with pytest.raises(DataError, match=f'{name} differs from the run to resume: SHA-256'):
            train(make_config(**{**given, **changes}, epochs=2, resume='auto'))
    equal = tmp_path / 'equal.txt'
    equal.write_text('1\n' + repr(5 / 3) + '\n')  # 4 of 8 images, and 3 of 8
    assert train(make_config(**{**given, 'class_weights': str(equal)}, epochs=2, resume='auto'))['epochs'] == 2


def test_a_parameter_file_without_a_card_is_a_teacher_of_the_same_task(data, teacher, tmp_path):
    bare = tmp_path / 'bare.params'
    bare.write_bytes((teacher / 'checkpoints' / 'best.params').read_bytes())
    given = settings(data, tmp_path / 'run', teacher=str(bare))
    assert prepare(make_config(**given, teacher_network='cbamnet_tiny')).teacher.network.task.name == 'multilabel'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'distill_alpha': 0.9}, '--distill-alpha 0.9 is of --teacher'),
        ({'teacher': 'x', 'distill_temperature': 0}, '--distill-temperature must be from 0.01 to 1000, got 0'),
    ],
)
def test_settings_of_the_teacher_are_checked(changes, message):
    config = make_config(task='multilabel', network='n', data_train='a.rec', **changes)
    with pytest.raises(UsageError, match=message):
        get_task('multilabel').check_settings(config.as_dict())

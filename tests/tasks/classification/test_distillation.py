"""Knowledge distillation: Hinton's loss in numpy, teachers of every kind, what is compared, and resuming."""

import shutil

import mxnet as mx
import numpy as np
import pytest
from run_folders import state
from steps import CLASSES, SIZE, batch

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.classification.distillation import DistillationLoss
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.classification.objective import ClassificationObjective
from gluon_cbam.training import make_config, train
from gluon_cbam.training.logging import curves
from gluon_cbam.training.setup import prepare


@pytest.fixture(scope='module', autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, 'draw', lambda *arguments: None)
        yield


@pytest.fixture(scope='module')
def teacher(digits, tmp_path_factory):
    """The folder of a run of one epoch on digits."""
    folder = tmp_path_factory.mktemp('teacher') / 'run'
    train(make_config(**settings(digits, folder), epochs=1, data_val=str(digits / 'val.rec')))
    return folder


@pytest.fixture(scope='module')
def exported(teacher):
    """Prefix of the teacher as ONNX and as a symbol."""
    for name in ('onnx', 'symbol'):
        path = f'{teacher.parent}/exported{".onnx" if name == "onnx" else ""}'
        with pytest.raises(SystemExit, match='0'):
            cli.main(['export', '--params', str(teacher), '--format', name, '-o', path])
    return teacher.parent / 'exported'


def settings(digits, output, **changes):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'val.rec'), 'output': str(output), 'image_size': 8,
        'batch_size': 60, 'workers': 1, 'augment': 'none', 'lr': 0.01, **changes,
    }  # fmt: skip


def softmax(logits):
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def test_the_loss_is_hintons():
    random = np.random.RandomState(0)
    loss, logits, taught = random.rand(5), random.randn(5, 7) * 3, random.randn(5, 7) * 3
    mine, theirs = softmax(logits / 3), softmax(taught / 3)
    expected = 0.3 * loss + 0.7 * 9 * (theirs * np.log(theirs / mine)).sum(axis=1)
    got = DistillationLoss(0.7, 3)(*(mx.nd.array(each) for each in (loss, logits, taught))).asnumpy()
    assert np.allclose(got, expected, rtol=1e-4)
    logits = mx.nd.array(logits)
    logits.attach_grad()
    with mx.autograd.record():
        loss = DistillationLoss(1, 3)(mx.nd.zeros(5), logits, mx.nd.array(taught))
    loss.backward()
    assert np.allclose(logits.grad.asnumpy(), 3 * (mine - theirs), atol=1e-5)


def test_the_teacher_sees_the_mixed_images():
    """Of its own outputs, a student that is its own teacher has no loss to learn."""
    config = make_config(network='n', data_train='a.rec', classes=CLASSES, image_size=SIZE, seed=4, mixup=0.5,
                         distill_alpha=1, teacher='x').as_dict()  # fmt: skip
    plain = Preprocessing(SIZE, 1.0, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))
    objective, seen = ClassificationObjective(config, plain), []
    net = mx.gluon.nn.Dense(CLASSES)
    net.initialize(mx.init.Normal(0.3))

    def teacher(images):
        assert not mx.autograd.is_recording() and not mx.autograd.is_training()
        seen.append(images.asnumpy())
        return net(images)

    objective.learn_from(teacher)
    (inputs,), *_ = objective.prepare_step([[batch(0)]], 0)
    share, x = MixSampler(0.5, 0, SIZE, seed=4)(0).share, batch(0).images.asnumpy().transpose(0, 3, 1, 2)
    assert np.allclose(seen[0], share * x + (1 - share) * x[::-1], atol=1e-5)
    with mx.autograd.record():
        losses, _ = objective.loss(net, inputs)
    assert np.abs(losses.asnumpy()).max() < 1e-5


@pytest.mark.parametrize('kind', ['run', 'file', 'onnx', 'symbol'])
def test_teachers_of_every_kind_give_the_same_logits(kind, digits, teacher, exported, tmp_path):
    files = {
        'run': str(teacher), 'file': str(tmp_path / 'bare.params'), 'onnx': f'{exported}.onnx',
        'symbol': f'{exported}-symbol.json',
    }  # fmt: skip
    shutil.copy(teacher / 'checkpoints/best.params', files['file'])
    named = {'teacher_network': 'cbamnet_tiny'} if kind == 'file' else {}
    runs = [
        prepare(make_config(**settings(digits, tmp_path), cpus=2, teacher=given, **more))
        for given, more in ((str(teacher), {}), (files[kind], named))
    ]
    images = mx.nd.random.normal(shape=(4, 3, 8, 8), ctx=mx.cpu(1))
    logits = [run.teacher(images) for run in runs]
    assert {each.context for each in logits} == {mx.cpu(1)}
    assert np.abs(logits[0].asnumpy() - logits[1].asnumpy()).max() < 1e-4
    assert (runs[0].references == runs[1].references) == (kind in ('run', 'file'))


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        ({'image_size': 16}, UsageError, r'expects images with image_size 8, this run has 16'),
        ({'classes': 11}, DataError, r'has 10 classes, this run 11'),
        ({'teacher': None, 'teacher_network': 'cbamnet_tiny'}, UsageError, '--teacher-network cbamnet_tiny is of'),
        ({'teacher': None, 'distill_alpha': 0.9}, UsageError, '--distill-alpha 0.9 is of --teacher'),
        ({'distill_alpha': 1.1}, UsageError, '--distill-alpha must be from 0 to 1, got 1.1'),
        ({'distill_temperature': 0}, UsageError, '--distill-temperature must be from 0.01 to 1000, got 0'),
        ({'distill_temperature': 1e30}, UsageError, '--distill-temperature must be from 0.01 to 1000, got 1e\\+30'),
        ({'distill_temperature': float('inf')}, UsageError, 'must be at least 0 and finite, got inf'),
        ({'distill_temperature': float('nan')}, UsageError, '--distill-temperature must be at least 0, got nan'),
        ({'teacher': 'nowhere.onnx'}, UsageError, "no exported file 'nowhere.onnx'"),
        ({'teacher': 'nowhere.params'}, UsageError, '--teacher nowhere.params: .*--teacher-network'),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, message, digits, teacher, tmp_path):
    with pytest.raises(error, match=message):
        prepare(make_config(**{**settings(digits, tmp_path), 'teacher': str(teacher), **changes}))


def test_classes_of_other_names_are_refused(digits, teacher, tmp_path):
    for name in ('val.rec', 'val.idx'):
        shutil.copy(digits / name, tmp_path)
    (tmp_path / 'classes.txt').write_text('\n'.join('abcdefghij'))
    with pytest.raises(DataError, match='class 0'):
        prepare(make_config(**settings(tmp_path, tmp_path / 'run', teacher=str(teacher))))


def test_a_run_resumes_bit_for_bit_with_the_same_teacher_alone(digits, teacher, exported, tmp_path):
    given = settings(digits, tmp_path / 'parts', teacher=str(teacher), seed=3, mixup=0.4, cpus=2)
    train(make_config(**{**given, 'output': str(tmp_path / 'whole')}, epochs=2))
    train(make_config(**given, epochs=1))
    for other in (None, f'{exported}.onnx'):
        with pytest.raises(DataError, match='--teacher differs from the run to resume: SHA-256'):
            train(make_config(**{**given, 'teacher': other}, epochs=2, resume='auto'))
    moved = tmp_path / 'moved'
    shutil.copytree(teacher, moved)
    train(make_config(**{**given, 'teacher': str(moved)}, epochs=2, resume='auto'))
    mine, expected = state(tmp_path / 'parts'), state(tmp_path / 'whole')
    for name, value in mine.items():
        assert np.array_equal(value, expected[name]), name

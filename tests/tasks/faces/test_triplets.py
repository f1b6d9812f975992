"""Triplet losses against loops over triplets and finite differences, and the batches that they need."""

import mxnet as mx
import numpy as np
import pytest
from face_identities import write_identities
from run_folders import assert_same_run

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.order import IdentityOrder
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import TrainingData
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.tasks.faces.heads.triplet import TripletLoss
from gluon_cbam.training import make_config, train

LABELS = np.array([4, 4, 4, 1, 1, 1, 7, 7, 7, 4, 4, 4])


def batch():
    random = np.random.RandomState(1)
    x = random.randn(12, 5) + 1.2 * np.random.RandomState(2).randn(9, 5)[LABELS]
    return x * np.linspace(0.5, 3, 12)[:, None]


def by_hand(x, labels, size, alpha, angular):
    """The loss of each anchor, by loops, and how many pairs had a semi-hard negative."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = np.clip(unit @ unit.T, -1, 1)
    distance = np.arccos(cosine) if angular else ((unit[:, None] - unit[None]) ** 2).sum(axis=-1)
    losses, semi_hard = np.zeros(len(x)), 0
    for anchor in range(len(x)):
        group = range(anchor // size * size, anchor // size * size + size)
        positives = [each for each in group if each != anchor and labels[each] == labels[anchor]]
        negatives = distance[anchor, labels != labels[anchor]]
        for positive in positives if len(negatives) else []:
            near = distance[anchor, positive]
            farther = negatives[negatives > near]
            chosen = farther.min() if len(farther) else negatives.max()
            semi_hard += bool(len(farther)) and chosen < near + alpha
            losses[anchor] += max(near - chosen + alpha, 0) / len(positives)
    return losses, semi_hard


@pytest.mark.parametrize('angular', [False, True])
@pytest.mark.parametrize('broken', [False, True], ids=['balanced', 'a record was skipped'])
def test_the_loss_is_that_of_loops_over_triplets(angular, broken):
    x, labels = batch(), LABELS.copy()
    if broken:
        labels[4] = 8
    expected, semi_hard = by_hand(x, labels, 3, 0.3, angular)
    assert semi_hard
    assert (expected > 0).sum() > 3
    loss = TripletLoss(0.3, angular, 3, 'float64')
    found, _, norm = loss(mx.nd.array(x, dtype='float64'), mx.nd.array(labels, dtype='float64'))
    assert np.allclose(found.asnumpy(), expected, rtol=0, atol=1e-12)
    assert np.allclose(norm.asnumpy()[:, 0], np.linalg.norm(x, axis=1))


@pytest.mark.parametrize('angular', [False, True])
def test_its_gradient_equals_finite_differences(angular):
    x, loss = batch(), TripletLoss(0.3, angular, 3, 'float64')
    array = mx.nd.array(x, dtype='float64')
    array.attach_grad()
    with mx.autograd.record():
        loss(array, mx.nd.array(LABELS, dtype='float64'))[0].sum().backward()
    expected = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * 1e-6
            ends.append(by_hand(moved, LABELS, 3, 0.3, angular)[0].sum())
        expected[index] = (ends[0] - ends[1]) / 2e-6
    assert np.abs(array.grad.asnumpy() - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize('dtype', ['float16', 'float32'])
@pytest.mark.parametrize('angular', [False, True])
def test_equal_and_opposite_embeddings_have_finite_gradients(angular, dtype):
    if dtype == 'float16' and mx.context.num_gpus() == 0:
        pytest.skip('MXNet has no float16 matrix product for the CPU')
    x = mx.nd.array([[1, 0], [1, 0], [-1, 0], [-1, 0], [0, 0], [1e-3, 0]], dtype=dtype)
    x.attach_grad()
    with mx.autograd.record():
        loss, _, _ = TripletLoss(0.3, angular, 2, dtype)(x, mx.nd.array([0, 0, 1, 1, 2, 2], dtype=dtype))
        loss.backward()
    assert np.isfinite(loss.asnumpy()).all()
    assert np.isfinite(x.grad.asnumpy()).all()


def test_one_identity_alone_has_no_loss():
    loss, _, _ = TripletLoss(0.3, False, 3)(mx.nd.array(batch()), mx.nd.zeros(12))
    assert (loss.asnumpy() == 0).all()


def test_groups_have_pictures_of_one_identity():
    labels = np.repeat([0, 1, 2, 3, 5], [7, 1, 2, 4, 3])[np.random.RandomState(0).permutation(17)]
    order = IdentityOrder(labels, 3, 'x.rec')
    assert len(order) == 3 * (2 + 0 + 1 + 1 + 1)
    seen = set()
    for epoch in range(40):
        numbers = order(np.random.default_rng(epoch))
        groups = numbers.reshape(-1, 3)
        assert (labels[groups] == labels[groups[:, :1]]).all()
        assert sorted(labels[groups[:, 0]]) == [0, 0, 2, 3, 5]
        whole = [group for group in groups if labels[group[0]] != 2]  # identity 2 has two pictures
        assert len(np.unique(whole)) == np.size(whole)
        seen.update(numbers.tolist())
    assert seen == set(np.flatnonzero(labels != 1))
    assert np.array_equal(order(np.random.default_rng(3)), order(np.random.default_rng(3)))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'))


def batches(data, **options):
    records = RecordFile(data / 'train.rec')
    order = IdentityOrder(records.labels, 5, records.path)
    loader = TrainingData(records, 20, Preprocessing(16), 'face', 3, order=order, **options)
    return lambda skip=0: [[part.asnumpy() for part in batch] for batch in loader.epoch(1, skip)]


def test_batches_are_the_same_for_any_threads_processes_and_start(data):
    whole = batches(data, workers=1)()
    assert len(whole) == 3
    for _, labels in whole:
        assert (labels.reshape(-1, 5) == labels[::5, None]).all()
    threads = batches(data, workers=3)()
    shares = [batches(data, workers=1, rank=rank, processes=2)() for rank in range(2)]
    for number, batch in enumerate(whole):
        for part in range(2):
            assert np.array_equal(batch[part], threads[number][part])
            assert np.array_equal(batch[part], np.concatenate([share[number][part] for share in shares]))
    (last,) = batches(data, workers=2)(skip=2)
    assert np.array_equal(last[0], whole[2][0])


def settings(data, output, **changes):
    return {
        'task': 'faces', 'network': 'cbamnet_tiny', 'option': {'embedding': 8, 'image_size': 16}, 'image_size': 16,
        'data_train': str(data / 'train.rec'), 'output': str(output), 'epochs': 2, 'batch_size': 10, 'lr': 0.05,
        'head': 'triplet', 'workers': 1, 'augment': 'none', **changes,
    }  # fmt: skip


def test_training_with_triplets_continues_bit_for_bit(data, tmp_path):
    train(make_config(**settings(data, tmp_path / 'unbroken')))
    train(make_config(**settings(data, tmp_path / 'run', epochs=1)))
    train(make_config(**settings(data, tmp_path / 'run', resume='auto')))
    (tmp_path / 'x').mkdir()
    for name in ('run', 'unbroken'):  # there is no best without validation
        (tmp_path / name / 'checkpoints' / 'best.json').write_text('{}')
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 12}, '--batch-size 12 is not 5 pictures of at least two identities .*: give 10'),
        ({'batch_size': 5}, 'give 10'),
        ({'scale': 30.0}, '--scale: the head triplet has none'),
        ({'aug_repeats': 3}, '--aug-repeats 3: batches of --head triplet have'),
        ({'margin': [0.1, 0.2]}, 'the head triplet takes 1: alpha'),
    ],
)
def test_settings_that_do_not_fit_are_refused(data, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        train(make_config(**settings(data, tmp_path / 'run', **changes)))


def test_one_picture_an_identity_is_refused(data, tmp_path):
    records = RecordFile(data / 'train.rec')
    with RecordWriter(tmp_path / 'train.rec') as writer:
        for number in range(12):
            writer.write(number, records[number].image)
    with pytest.raises(DataError, match=r'train.rec: each of its 12 identities has one picture') as caught:
        train(make_config(**settings(data, tmp_path / 'run', data_train=str(tmp_path / 'train.rec'))))
    assert caught.value.exit_code == 4
    assert '\n' not in str(caught.value)

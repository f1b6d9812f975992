"""The loss of SSD against numpy, GluonCV's SSDMultiBoxLoss and finite differences."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.tasks.detection.losses.ssd import SSDLoss


def example(images=3, anchors=40, classes=4, seed=0, dtype='float32'):
    random = np.random.RandomState(seed)
    logits = random.normal(0, 2, (images, anchors, 1 + classes))
    offsets = random.normal(0, 1.5, (images, anchors, 4))
    labels = np.where(random.rand(images, anchors) < 0.1, random.randint(1, 1 + classes, (images, anchors)), 0)
    labels[0] = 0  # an image without objects
    targets = random.normal(0, 1, (images, anchors, 4)) * (labels > 0)[..., None]
    return [values.astype(dtype) for values in (logits, offsets, labels, targets)]


def expected(logits, offsets, labels, targets):
    """The sums of each image, by loops."""
    entropies, distances = [], []
    for scores, boxes, label, wanted in zip(logits, offsets, labels, targets):
        odds = np.exp(scores.astype(np.float64))
        cross = -np.log(odds / odds.sum(axis=1, keepdims=True))
        positive = [number for number in range(len(label)) if label[number] > 0]
        negative = sorted((cross[number, 0] for number in range(len(label)) if label[number] == 0), reverse=True)
        entropy = sum(cross[number, int(label[number])] for number in positive)
        entropies.append(entropy + sum(negative[: 3 * len(positive)]))
        moved = np.abs(boxes - wanted)[positive]
        distances.append(np.where(moved < 1, moved**2 / 2, moved - 0.5).sum())
    return np.array(entropies), np.array(distances)


def loss_of(arrays, hybridized=False):
    loss = SSDLoss()
    if hybridized:
        loss.hybridize(static_alloc=True, static_shape=True)
    return [value.asnumpy() for value in loss(*map(mx.nd.array, arrays))]


@pytest.mark.parametrize('hybridized', [False, True])
def test_sums_are_those_of_loops(hybridized):
    arrays = example()
    ours = loss_of(arrays, hybridized)
    for value, wanted in zip(ours, expected(*arrays)):
        assert np.abs(value - wanted).max() <= 1e-4 * wanted.max()
    assert ours[0][0] == ours[1][0] == 0


def test_more_negatives_wanted_than_there_are():
    arrays = example(anchors=5)
    arrays[2][1] = (1, 2, 0, 4, 1)
    for value, wanted in zip(loss_of(arrays), expected(*arrays)):
        assert np.abs(value - wanted).max() <= 1e-4 * wanted.max()


def test_ignored_anchors_count_for_nothing():
    logits, offsets, labels, targets = example()
    labels[labels == 0] = np.where(np.random.RandomState(5).rand((labels == 0).sum()) < 0.5, -1, 0)
    ours = loss_of((logits, offsets, labels, targets))
    for value, wanted in zip(ours, expected(logits, offsets, labels, targets)):
        assert np.abs(value - wanted).max() <= 1e-4 * wanted.max()
    changed = logits + 100 * (labels == -1)[..., None] * np.arange(5)
    again = loss_of((changed, offsets, labels, targets))
    assert all(np.array_equal(a, b) for a, b in zip(ours, again))


def test_the_loss_is_gluoncvs():
    gluoncv = pytest.importorskip('gluoncv.loss')
    logits, offsets, labels, targets = arrays = example(anchors=200)
    _, classes, boxes = gluoncv.SSDMultiBoxLoss()(*map(mx.nd.array, arrays))
    ours, positives = loss_of(arrays), (labels > 0).sum()
    for value, theirs in zip(ours, (classes, boxes)):
        assert np.abs(value / positives - theirs[0].asnumpy()).max() <= 1e-5


def test_parts_of_a_batch_add_up():
    arrays = example(images=4)
    together = loss_of(arrays)
    parts = [loss_of([values[rows] for values in arrays]) for rows in (slice(0, 2), slice(2, 4))]
    for value, first, second in zip(together, *parts):
        assert np.array_equal(value, np.concatenate([first, second]))


def test_logits_that_are_not_finite_show_in_the_loss_of_their_image():
    """Whatever the anchor, also where it is no hard negative."""
    logits, offsets, labels, targets = example(anchors=300)
    logits[1, labels[1] == 0] = np.nan
    entropy, distance = loss_of((logits, offsets, labels, targets), hybridized=True)
    assert np.isnan(entropy).tolist() == [False, True, False]
    assert np.isfinite(distance).all()


def test_gradients():
    """Against finite differences of the loops above; the hard negatives stay the same within the steps."""
    arrays = example(images=2, anchors=25, seed=4)
    logits, offsets, labels, targets = map(mx.nd.array, arrays)
    logits.attach_grad(), offsets.attach_grad()
    with mx.autograd.record():
        entropy, distance = SSDLoss()(logits, offsets, labels, targets)
        total = entropy + 2 * distance
    total.backward()
    step, checked = 1e-4, 0
    for which, gradient in ((0, logits.grad.asnumpy()), (1, offsets.grad.asnumpy())):
        wide = [values.astype(np.float64) for values in arrays]
        for place in np.ndindex(*gradient.shape):
            values = []
            for sign in (1, -1):
                moved = [value.copy() for value in wide]
                moved[which][place] += sign * step
                entropies, distances = expected(*moved)
                values.append((entropies + 2 * distances).sum())
            slope = (values[0] - values[1]) / (2 * step)
            assert abs(slope - gradient[place]) <= 1e-3 * max(1, abs(slope)), (which, place)
            checked += abs(slope) > 1e-6
    assert checked > 60

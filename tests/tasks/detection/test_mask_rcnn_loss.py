"""The loss of Mask R-CNN against numpy and finite differences."""

import mxnet as mx
import numpy as np

from gluon_cbam.tasks.detection.losses.faster_rcnn import FasterRCNNLoss
from gluon_cbam.tasks.detection.losses.mask_rcnn import MaskRCNNLoss


def example(seed=0, size=6):
    """The inputs of the loss for three images, the last without a positive RoI."""
    random = np.random.RandomState(seed)
    labels = np.array([[2, 1, 0, -1, 0], [1, 3, 2, 0, 0], [0, 0, 0, 0, -1]])
    masked = np.array([[1, 0], [1, 1], [0, 0]])
    anchors = random.randint(-1, 2, (3, 12))
    return [
        random.normal(0, 2, (3, 12)), random.normal(0, 1, (3, 12, 4)), random.normal(0, 2, (3, 5, 4)),
        random.normal(0, 1, (3, 5, 4)), labels, random.normal(0, 1, (3, 5, 4)), random.normal(0, 3, (3, 2, size, size)),
        random.uniform(0, 1, (3, 2, size, size)), masked, anchors, random.normal(0, 1, (3, 12, 4)),
    ]  # fmt: skip


def loss_of(arrays, box_weight=1.0, hybridized=False, dtype='float32'):
    loss = MaskRCNNLoss(box_weight)
    if hybridized:
        loss.hybridize(static_alloc=True, static_shape=True)
    return [value.asnumpy() for value in loss(*(mx.nd.array(each, dtype=dtype) for each in arrays))]


def test_the_term_of_masks_is_that_of_loops():
    arrays = example()
    logits, targets, masked = arrays[6:9]
    expected = []
    for image in range(3):
        means = []
        for roi in np.flatnonzero(masked[image]):
            odds = 1 / (1 + np.exp(-logits[image, roi]))
            wanted = targets[image, roi]
            means.append(-(wanted * np.log(odds) + (1 - wanted) * np.log(1 - odds)).mean())
        expected.append(sum(means) / max(len(means), 1))
    for hybridized in (False, True):
        *others, found, positives = loss_of(arrays, 0.7, hybridized)
        assert np.abs(found - expected).max() <= 1e-5
        assert positives.tolist() == [2, 3, 0]
        boxes = FasterRCNNLoss(0.7)(*map(mx.nd.array, [*arrays[:6], *arrays[9:]]))
        assert all(np.abs(one - two.asnumpy()).max() <= 1e-6 for one, two in zip(others, boxes))


def test_large_logits_are_finite():
    arrays = example()
    arrays[6] = np.sign(arrays[6]) * 1e4
    assert np.isfinite(loss_of(arrays)[4]).all()


def test_gradients_are_finite_differences():
    arrays, step = example(size=3), 1e-4
    inputs = [mx.nd.array(each, dtype='float64') for each in arrays]
    inputs[6].attach_grad()
    loss = MaskRCNNLoss()
    with mx.autograd.record():
        total = loss(*inputs)[4].sum()
    total.backward()
    found = inputs[6].grad.asnumpy()
    for place in np.ndindex(*arrays[6].shape):
        both = []
        for sign in (1, -1):
            moved = [each.copy() for each in arrays]
            moved[6][place] += sign * step
            both.append(loss_of(moved, dtype='float64')[4].sum())
        assert abs((both[0] - both[1]) / (2 * step) - found[place]) <= 1e-6

"""Targets and loss of Faster R-CNN against numpy."""

import mxnet as mx
import numpy as np
import pytest
from region_boxes import iou

from gluon_cbam.models import build
from gluon_cbam.models.detection.box_coding import decode
from gluon_cbam.models.detection.proposals import SCALES
from gluon_cbam.tasks.detection.losses.criterion import Place
from gluon_cbam.tasks.detection.losses.faster_rcnn import FasterRCNNCriterion, FasterRCNNLoss
from gluon_cbam.tasks.detection.targets.faster_rcnn import RegionTargets

BOXES = np.array(
    [
        [[1, 10, 12, 70, 60], [0, 40, 40, 90, 100], [2, 100, 100, 106, 104], [-1] * 5],
        [[-2, 0, 0, 128, 90], [1, 30, 30, 80, 80], [-1] * 5, [-1] * 5],
        [[-1] * 5] * 4,
    ],
    np.float32,
)


@pytest.fixture(scope='module')
def net():
    return build('faster_rcnn_fpn', classes=3, backbone='resnet18', widen=0.25, training_proposals=100, samples=32)


def targets(net, boxes, seed=0, size=128):
    anchors = net.anchors(size, size)
    random = np.random.RandomState(seed)
    order = np.stack([random.permutation(len(anchors)) for _ in boxes])
    found = RegionTargets()(mx.nd.array(boxes), anchors, mx.nd.array(order), size, size)
    return anchors.asnumpy(), [each.asnumpy() for each in found]


def expected(anchors, rows, size=128):
    """Which anchors may be positive and background in an image, and the object of each."""
    corners = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], axis=1)
    inside = (corners[:, :2] >= 0).all(axis=1) & (corners[:, 2:] < size).all(axis=1)
    true = rows[rows[:, 0] >= 0][:, 1:]
    shares = iou(corners, true) * inside[:, None] if len(true) else np.zeros((len(corners), 1))
    best = shares.max(axis=0)
    positive = (shares.max(axis=1) >= 0.7) | ((shares == best) & (best > 0)).any(axis=1)
    negative = ~positive & (shares.max(axis=1) < 0.3) & inside
    for crowd in rows[rows[:, 0] == -2][:, 1:]:
        low, high = np.maximum(corners[:, :2], crowd[:2]), np.minimum(corners[:, 2:], crowd[2:])
        negative &= np.prod(np.maximum(high - low, 0), axis=1) / anchors[:, 2:].prod(axis=1) <= 0.5
    return positive, negative, true[shares.argmax(axis=1)] if len(true) else np.zeros((len(corners), 4))


def test_labels_and_offsets(net):
    anchors, (labels, offsets) = targets(net, BOXES)
    back = decode(mx.nd, mx.nd.array(offsets), mx.nd.array(anchors[None]), SCALES).asnumpy()
    for rows, found, coded, decoded in zip(BOXES, labels, offsets, back):
        positive, negative, match = expected(anchors, rows)
        assert np.array_equal(found > 0, positive)  # there are fewer than 128
        assert (found[found >= 0] >= 0).sum() == 256
        assert negative[found == 0].all()
        assert np.abs(decoded - match)[positive].max(initial=0) < 1e-2
        assert not coded[~positive].any()
    assert (labels[0] > 0).sum() > 3
    assert (labels[2] > 0).sum() == 0


def test_no_more_than_half_of_the_examples_are_positive(net):
    grid = [[0, x, y, x + 31, y + 31] for x in np.arange(0, 97, 8) + 2 for y in np.arange(0, 97, 8) + 2]
    anchors, (labels, _) = targets(net, np.array([grid], np.float32))
    positive, _, _ = expected(anchors, np.array(grid))
    assert positive.sum() > 150
    assert (labels > 0).sum() == 128
    assert (labels == 0).sum() <= 128
    assert positive[labels[0] > 0].all()
    again = targets(net, np.array([grid], np.float32))[1][0]
    other = targets(net, np.array([grid], np.float32), seed=1)[1][0]
    assert np.array_equal(labels, again)
    assert not np.array_equal(labels, other)


def huber(difference, rho):
    distance = np.abs(difference)
    return np.where(distance > rho, distance - rho / 2, distance**2 / 2 / rho).sum(axis=-1)


def test_terms():
    random = np.random.RandomState(0)
    images, anchors, samples, classes = 3, 50, 12, 4
    logits, offsets = random.normal(0, 3, (images, anchors)), random.normal(0, 0.3, (images, anchors, 4))
    of_rois, boxes = random.normal(0, 3, (images, samples, 1 + classes)), random.normal(0, 2, (images, samples, 4))
    labels, wanted = random.randint(-1, 1 + classes, (images, samples)), random.normal(0, 1, (images, samples, 4))
    of_anchors, goals = random.randint(-1, 2, (images, anchors)), random.normal(0, 0.3, (images, anchors, 4))
    labels[2] = -1  # an image without examples
    arrays = (logits, offsets, of_rois, boxes, labels, wanted, of_anchors, goals)
    *terms, positives = (each.asnumpy() for each in FasterRCNNLoss(0.5)(*map(mx.nd.array, arrays)))
    for image in range(images):
        used, count = of_anchors[image] >= 0, (of_anchors[image] >= 0).sum()
        probability = 1 / (1 + np.exp(-logits[image]))
        entropy = -np.log(np.where(of_anchors[image] > 0, probability, 1 - probability))
        distance = huber(offsets[image] - goals[image], 1 / 9)
        rois, examples = labels[image] >= 0, max((labels[image] >= 0).sum(), 1)
        soft = np.exp(of_rois[image]) / np.exp(of_rois[image]).sum(axis=1, keepdims=True)
        of_class = -np.log(soft[np.arange(samples), labels[image].clip(0)])
        expected_terms = [
            entropy[used].sum() / count, 0.5 * distance[of_anchors[image] > 0].sum() / count,
            of_class[rois].sum() / examples,
            0.5 * huber(boxes[image] - wanted[image], 1)[labels[image] > 0].sum() / examples,
        ]  # fmt: skip
        assert [term[image] for term in terms] == pytest.approx(expected_terms, rel=1e-5, abs=1e-7)
        assert positives[image] == (labels[image] > 0).sum()


def test_loss_of_large_logits_is_finite():
    one, offsets = mx.nd.ones((1, 1)), mx.nd.zeros((1, 1, 4))
    terms = FasterRCNNLoss()(one * -200, offsets, mx.nd.zeros((1, 1, 2)), offsets, one * 0, offsets, one, offsets)
    assert terms[0].asscalar() == 200


def orders(net, count, place, seed=1):
    criterion = FasterRCNNCriterion(net, {'seed': seed, 'box_weight': 1.0}, True)
    boxes, order, labels, _ = criterion.targets(mx.nd.array(BOXES[:count]), 128, 128, place)
    assert order.shape == (count, 100 + boxes.shape[1])
    assert np.array_equal(np.sort(order.asnumpy(), axis=1), np.tile(np.arange(104), (count, 1)))
    return order.asnumpy(), labels.asnumpy()


def test_examples_follow_from_the_seed_and_the_place(net):
    whole = orders(net, 3, Place(5, 0, 8))
    assert all(np.array_equal(*pair) for pair in zip(whole, orders(net, 3, Place(5, 0, 8))))
    first = orders(net, 2, Place(5, 0, 8))  # the first device of two
    assert all(np.array_equal(part, all_of[:2]) for part, all_of in zip(first, whole))
    for place, seed in ((Place(6, 0, 8), 1), (Place(5, 1, 8), 1), (Place(5, 0, 9), 1), (Place(5, 0, 8), 2)):
        assert not np.array_equal(orders(net, 3, place, seed)[0], whole[0])

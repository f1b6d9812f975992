"""Targets of SSD against loops in numpy and against GluonCV's generator."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import variant
from gluon_cbam.models.detection.anchors import anchor_array
from gluon_cbam.models.detection.ssd import levels_of
from gluon_cbam.tasks.detection.targets.ssd import SSDTargets

SIZE = 128


def some_anchors():
    maps = [(-(-SIZE // stride),) * 2 for stride in (8, 16, 32, 64, 128, 256)]
    return anchor_array(levels_of(variant('ssd_300')), maps, SIZE, SIZE)


def scene(random, objects, rows, smallest=4.0):
    """Boxes of an image, padded with rows of -1."""
    low = random.uniform(0, SIZE - smallest, (objects, 2))
    high = np.minimum(low + random.uniform(smallest, SIZE / 1.5, (objects, 2)), SIZE)
    boxes = np.full((rows, 5), -1.0)
    boxes[:objects] = np.concatenate([random.randint(0, 5, (objects, 1)), low, high], axis=1)
    return boxes.astype('float32')


def without_ties(random, objects, rows):
    """A scene in which no object has two best anchors, as one inside several anchors of one shape has."""
    anchors = some_anchors()
    while True:
        boxes = scene(random, objects, rows)
        best = [sorted(overlap(row[1:], anchor) for anchor in anchors)[-2:] for row in boxes[:objects]]
        if all(second < first - 1e-5 for second, first in best):
            return boxes


def crowded(seed=3):
    """Objects that lie nearly on each other, so that they compete for anchors."""
    random = np.random.RandomState(seed)
    boxes = scene(random, 7, 8)
    boxes[1:7, 1:] = boxes[0, 1:] + random.uniform(-0.5, 0.5, (6, 4))
    return boxes.astype('float32')


def overlap(box, anchor):
    low = np.maximum(box[:2], anchor[:2] - anchor[2:] / 2)
    high = np.minimum(box[2:], anchor[:2] + anchor[2:] / 2)
    both = np.prod(np.maximum(high - low, 0))
    return both / (np.prod(box[2:] - box[:2]) + np.prod(anchor[2:]) - both)


def expected(boxes, anchors):
    """Labels and offsets by loops over pairs, for images without ties and crowds."""
    objects = [row.astype(np.float64) for row in boxes if row[0] >= 0]
    anchors = anchors.astype(np.float64)
    table = np.array([[overlap(row[1:], anchor) for anchor in anchors] for row in objects]).reshape(-1, len(anchors))
    owner = np.full(len(anchors), -1)
    for number in range(len(anchors)):
        if objects and table[:, number].max() >= 0.5:
            owner[number] = table[:, number].argmax()
    free = table.copy()
    while free.size and free.max() > 0:
        which, number = np.unravel_index(free.argmax(), free.shape)
        owner[number] = which
        free[which], free[:, number] = 0, 0
    labels, offsets = np.zeros(len(anchors)), np.zeros((len(anchors), 4))
    for number, which in enumerate(owner):
        if which < 0:
            continue
        label, xmin, ymin, xmax, ymax = objects[which]
        x, y, w, h = anchors[number]
        labels[number] = label + 1
        offsets[number] = (
            ((xmin + xmax) / 2 - x) / w * 10,
            ((ymin + ymax) / 2 - y) / h * 10,
            np.log((xmax - xmin) / w) * 5,
            np.log((ymax - ymin) / h) * 5,
        )
    return labels, offsets


def targets_of(boxes, anchors):
    labels, offsets = SSDTargets()(mx.nd.array(boxes), mx.nd.array(anchors))
    return labels.asnumpy(), offsets.asnumpy()


@pytest.mark.parametrize('rows', [8, 16])
def test_targets_are_those_of_loops(rows):
    random, anchors = np.random.RandomState(rows), some_anchors()
    batch = np.stack([without_ties(random, objects, rows) for objects in (0, 1, 3, 4)])
    labels, offsets = targets_of(batch, anchors)
    for image, boxes in enumerate(batch):
        wanted, coded = expected(boxes, anchors)
        assert np.array_equal(labels[image], wanted)
        assert np.abs(offsets[image] - coded).max() <= 1e-3
    assert not labels[0].any()
    assert (labels[1:] > 0).sum() > 10


def test_objects_that_compete_for_anchors():
    """Each has one of its own, although the best one of all of them is the same."""
    boxes, anchors = crowded(), some_anchors()
    labels, offsets = targets_of(boxes[None], anchors)
    wanted, coded = expected(boxes, anchors)
    assert np.array_equal(labels[0], wanted)
    assert np.abs(offsets[0] - coded).max() <= 1e-3
    best = [np.argmax([overlap(row[1:], anchor) for anchor in anchors]) for row in boxes[:7]]
    assert len(set(best)) < 7


def test_the_best_anchors_of_an_object_match_though_they_overlap_it_little():
    boxes = np.array([[[4, 0, 0, 20, 20]]], 'float32')
    anchors = np.array([[5, 5, 10, 10], [5, 5, 10, 10], [4, 4, 8, 8]], 'float32')
    assert targets_of(boxes, anchors)[0].tolist() == [[5, 5, 0]]


def test_equal_pairs_are_taken_in_order():
    """Two objects in the same place, and three anchors that contain them: the first anchors are taken."""
    boxes = np.array([[[1, 40, 40, 50, 50], [2, 40, 40, 50, 50]]], 'float32')
    anchors = np.array([[41, 40, 64, 64], [42, 40, 64, 64], [43, 40, 64, 64]], 'float32')
    assert targets_of(boxes, anchors)[0].tolist() == [[2, 3, 2]]


def test_rows_of_padding_change_nothing():
    boxes, anchors = scene(np.random.RandomState(0), 3, 8), some_anchors()
    first = targets_of(boxes[None], anchors)
    more = targets_of(np.concatenate([np.full((5, 5), -1, 'float32'), boxes])[None], anchors)
    fewer = targets_of(boxes[None, :3], anchors)
    for other in (more, fewer):
        assert all(np.array_equal(a, b) for a, b in zip(first, other))


def test_more_objects_than_anchors():
    boxes = scene(np.random.RandomState(0), 8, 8)
    anchors = np.array([[30, 30, 50, 50], [90, 90, 40, 40]], 'float32')
    labels, _ = targets_of(boxes[None], anchors)
    assert np.array_equal(labels[0], expected(boxes, anchors)[0])


def test_an_object_outside_of_all_anchors_matches_none():
    """GluonCV gives it every anchor that overlaps nothing."""
    boxes = np.array([[[1, 500, 500, 510, 510], [2, 8, 8, 30, 30]]], 'float32')
    labels, _ = targets_of(boxes, some_anchors())
    assert set(np.unique(labels)) == {0, 3}


def test_targets_are_gluoncvs():
    generator = pytest.importorskip('gluoncv.model_zoo.ssd.target').SSDTargetGenerator(negative_mining_ratio=-1)
    anchors = some_anchors()
    for seed in range(4):
        random = np.random.RandomState(seed)
        boxes = np.stack([scene(random, 6, 6, 16.0), crowded(seed)[:6]])
        labels, offsets, _ = generator(
            mx.nd.array(anchors)[None], None, mx.nd.array(boxes[:, :, 1:]), mx.nd.array(boxes[:, :, :1])
        )
        ours = targets_of(boxes, anchors)
        assert np.array_equal(ours[0], labels.asnumpy())
        assert np.abs(ours[1] - offsets.asnumpy()).max() <= 1e-3


def test_anchors_in_a_crowd_are_ignored():
    """Those with more than half of their area in it that match no object; the region is no object itself."""
    anchors = some_anchors()
    region = np.array([-2, 40, 30, 110, 100], 'float32')
    boxes = np.stack([np.array([3, 50, 40, 80, 70], 'float32'), region, np.full(5, -1, 'float32')])
    labels, offsets = targets_of(boxes[None], anchors)
    wanted, coded = expected(boxes, anchors)
    for number, (x, y, w, h) in enumerate(anchors):
        width = min(x + w / 2, region[3]) - max(x - w / 2, region[1])
        height = min(y + h / 2, region[4]) - max(y - h / 2, region[2])
        share = max(width, 0) * max(height, 0) / (w * h)
        if wanted[number] == 0 and abs(share - 0.5) > 1e-4:
            assert labels[0, number] == (-1 if share > 0.5 else 0)
    assert np.array_equal(labels[0][wanted > 0], wanted[wanted > 0])
    assert np.abs(offsets[0] - coded).max() <= 1e-3
    assert (labels == -1).sum() > 20


def test_without_crowds_the_targets_are_the_same():
    boxes, anchors = scene(np.random.RandomState(0), 5, 8)[None], mx.nd.array(some_anchors())
    for first, second in zip(*(SSDTargets(crowds=crowds)(mx.nd.array(boxes), anchors) for crowds in (True, False))):
        assert np.array_equal(first.asnumpy(), second.asnumpy())


def test_a_crowd_alone():
    boxes = np.array([[[-2, 40, 30, 110, 100]]], 'float32')
    labels, offsets = targets_of(boxes, some_anchors())
    assert set(np.unique(labels)) == {-1, 0}
    assert not offsets.any()

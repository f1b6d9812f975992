"""Targets of YOLOv3 against loops in numpy and against GluonCV's generator."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import build
from gluon_cbam.tasks.detection.targets.yolo3 import YOLO3Targets

STRIDES, HEIGHT, WIDTH = (32, 16, 8), 64, 96
ANCHORS = build('yolo3', backbone='resnet18').anchor_sizes
MAPS = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
COUNT = 3 * sum(rows * columns for rows, columns in MAPS)


def scene(seed, objects=5, rows=8):
    """Boxes of an image, padded with rows of -1."""
    random = np.random.RandomState(seed)
    low = random.uniform(0, [WIDTH - 4, HEIGHT - 4], (objects, 2))
    high = np.minimum(low + random.uniform(3, 70, (objects, 2)), [WIDTH, HEIGHT])
    boxes = np.full((rows, 5), -1.0)
    boxes[:objects] = np.concatenate([random.randint(0, 4, (objects, 1)), low, high], axis=1)
    return boxes.astype('float32')


def fit(first, second):
    shared = min(first[0], second[0]) * min(first[1], second[1])
    return shared / (first[0] * first[1] + second[0] * second[1] - shared)


def expected(boxes):
    """Of each object: its anchor, what it should say, and its weight; by loops."""
    rows = []
    for label, left, top, right, bottom in boxes.astype(np.float64):
        if label < 0:
            continue
        size, x, y = (right - left, bottom - top), (left + right) / 2, (top + bottom) / 2
        best = max(((fit(size, each), -level, -k) for level, own in enumerate(ANCHORS) for k, each in enumerate(own)))
        level, k = -best[1], -best[2]
        stride, (_, columns) = STRIDES[level], MAPS[level]
        before = 3 * sum(height * width for height, width in MAPS[:level])
        number = before + 3 * (int(y / stride) * columns + int(x / stride)) + k
        wide, tall = ANCHORS[level][k]
        coded = x / stride % 1, y / stride % 1, np.log(max(size[0], 1) / wide), np.log(max(size[1], 1) / tall)
        rows.append([number, *coded, 2 - size[0] * size[1] / (WIDTH * HEIGHT)])
    return np.array(rows).reshape(-1, 6)


def targets_of(boxes):
    found = YOLO3Targets(STRIDES, ANCHORS)(mx.nd.array(boxes), MAPS, HEIGHT, WIDTH)
    return [each.asnumpy() for each in found]


def test_targets_are_those_of_loops():
    batch = np.stack([scene(seed, objects) for seed, objects in enumerate((0, 1, 4, 8))])
    anchors, coded, weights, objects, boxes = targets_of(batch)
    assert objects.shape == (4, COUNT)
    for image, rows in enumerate(map(expected, batch)):
        count = len(rows)
        assert len(set(rows[:, 0])) == count
        assert anchors[image].tolist() == [*rows[:, 0], *[0] * (8 - count)]
        assert np.abs(coded[image, :count] - rows[:, 1:5]).max(initial=0) <= 1e-5
        assert np.abs(weights[image] - np.pad(rows[:, 5], (0, 8 - count))).max() <= 1e-5
        assert sorted(np.flatnonzero(objects[image])) == sorted(rows[:, 0])
    assert np.array_equal(boxes, batch)


def test_the_last_of_several_objects_has_the_anchor():
    boxes = np.full((1, 8, 5), -1, 'float32')
    boxes[0, [1, 3, 4]] = [[2, 10, 10, 25, 38], [0, 50, 10, 60, 22], [1, 11, 9, 25, 39]]
    anchors, _, weights, objects, _ = targets_of(boxes)
    assert anchors[0, 1] == anchors[0, 4] != anchors[0, 3]
    assert (weights[0] > 0).tolist() == [False, False, False, True, True, False, False, False]
    assert objects.sum() == 2


def test_crowds_and_padding_are_no_objects():
    boxes = np.array([[[-2, 4, 4, 50, 50], [-1] * 5]], 'float32')
    anchors, _, weights, objects, _ = targets_of(boxes)
    assert not anchors.any()
    assert not weights.any()
    assert not objects.any()


def test_targets_are_gluoncvs():
    generator = pytest.importorskip('gluoncv.model_zoo.yolo.yolo_target').YOLOV3PrefetchTargetGenerator(4)
    image = mx.nd.zeros((1, 3, HEIGHT, WIDTH))
    maps = [mx.nd.zeros((1, 1, *each)) for each in MAPS]
    sizes = [mx.nd.array(each).reshape((1, 1, -1, 2)) for each in ANCHORS]
    offsets = [mx.nd.zeros((1, 1, *each, 2)) for each in MAPS]  # of which it reads the shape alone
    for seed in range(4):
        boxes = scene(seed)[None, :5]
        theirs = generator(image, maps, sizes, offsets, mx.nd.array(boxes[:, :, 1:]), mx.nd.array(boxes[:, :, :1]))
        wanted, centers, scales, weights, _ = (each.asnumpy()[0] for each in theirs)
        anchors, coded, own, objects, _ = targets_of(boxes)
        assert np.array_equal(objects[0], wanted[:, 0])
        chosen = anchors[0].astype(int)[own[0] > 0]
        assert np.abs(np.hstack([centers, scales])[chosen] - coded[0][own[0] > 0]).max() <= 1e-4
        assert np.abs(weights[chosen, 0] - own[0][own[0] > 0]).max() <= 1e-5

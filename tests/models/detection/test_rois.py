"""Pooling and sampling of RoIs, against numpy."""

import mxnet as mx
import numpy as np
import pytest
from region_boxes import iou, random_boxes

from gluon_cbam.models.detection.box_coding import decode
from gluon_cbam.models.detection.boxes import centered
from gluon_cbam.models.detection.roi_pooling import levels_of, pool_levels, with_images
from gluon_cbam.models.detection.roi_sampling import RoiSampling

STRIDES = (4, 8, 16, 32)


def rois(count, images=2, side=600, seed=0):
    """Boxes of all sizes."""
    random = np.random.RandomState(seed)
    sides = np.exp(random.uniform(1, np.log(side), (count, 1)) + random.normal(0, 0.1, (count, 2))).clip(1, side)
    low = random.uniform(0, 1, (count, 2)) * (side - sides)
    high = low + sides
    return np.concatenate([random.randint(0, images, (count, 1)), low, high], axis=1).astype(np.float32)


def levels(boxes):
    sides = boxes[:, 3:] - boxes[:, 1:3] + 1
    return np.clip(np.floor(4 + np.log2(np.sqrt(sides.prod(axis=1)) / 224 + 1e-6)), 2, 5).astype(int)


def test_levels():
    square = np.array([[0, 0, 0, side - 1, side - 1] for side in (5, 111, 113, 223, 225, 447, 449, 2000)], np.float32)
    assert levels_of(mx.nd, mx.nd.array(square), 2, 5).asnumpy().tolist() == [2, 2, 3, 3, 4, 4, 5, 5]
    boxes = rois(300)
    found = levels_of(mx.nd, mx.nd.array(boxes), 2, 5).asnumpy()
    assert np.array_equal(found, levels(boxes))
    assert len(set(found)) == 4


def align(image, box, stride, size=7, samples=2):
    """RoIAlign of a box from a map (C, H, W) in numpy."""
    height, width = image.shape[1:]
    start, sides = box[:2] / stride, np.maximum((box[2:] - box[:2]) / stride, 1)
    steps = (np.arange(size * samples) + 0.5) / samples / size
    columns, rows = (start[axis] + steps * sides[axis] for axis in (0, 1))

    def weights(places, length):
        matrix = np.zeros((len(places), length))
        for number, place in enumerate(places):
            if -1 <= place <= length:
                low = min(int(max(place, 0)), length - 1)
                high = min(low + 1, length - 1)
                share = max(place, 0) - low if high > low else 0
                matrix[number, low] += 1 - share
                matrix[number, high] += share
        return matrix.reshape(size, samples, length).mean(axis=1)

    return np.einsum('yh,chw,xw->cyx', weights(rows, height), image, weights(columns, width))


def maps(channels=3, images=2, side=608, seed=1):
    random = np.random.RandomState(seed)
    return [random.normal(size=(images, channels, side // each, side // each)).astype(np.float32) for each in STRIDES]


def test_each_roi_is_pooled_from_the_map_of_its_level():
    boxes, arrays = rois(40), maps()
    found = pool_levels(mx.nd, list(map(mx.nd.array, arrays)), mx.nd.array(boxes), STRIDES, 3, 7).asnumpy()
    expected = [
        align(arrays[level - 2][int(box[0])], box[1:], 2**level)
        for box, level in zip(boxes.astype(float), levels(boxes))
    ]
    assert set(levels(boxes)) == {2, 3, 4, 5}
    assert np.abs(found - expected).max() < 1e-4


def test_gradients_are_those_of_single_rois():
    boxes = rois(12, seed=3)
    arrays, again = ([mx.nd.array(each) for each in maps(2)] for _ in range(2))
    weight = mx.nd.array(np.random.RandomState(5).normal(size=(12, 2, 7, 7)))
    for each in (*arrays, *again):
        each.attach_grad()
    with mx.autograd.record():
        loss = (pool_levels(mx.nd, arrays, mx.nd.array(boxes), STRIDES, 2, 7) * weight).sum()
    loss.backward()
    with mx.autograd.record():
        loss = sum(
            (
                mx.nd.contrib.ROIAlign(
                    again[level - 2],
                    mx.nd.array(box[None]),
                    pooled_size=(7, 7),
                    spatial_scale=0.5**level,
                    sample_ratio=2,
                )  # fmt: skip
                * weight[number]
            ).sum()
            for number, (box, level) in enumerate(zip(boxes, levels(boxes)))
        )
    loss.backward()
    for one, other in zip(arrays, again):
        assert np.abs(one.grad.asnumpy() - other.grad.asnumpy()).max() < 1e-5


def test_why_there_are_unused_rows():
    """MXNet's ROIAlign on CPUs writes a zero to the n-th number of its output where RoI n has no image."""
    image = mx.nd.ones((1, 1, 8, 8))
    boxes = mx.nd.array([[0, 0, 0, 7, 7], [-1, 0, 0, 7, 7], [0, 0, 0, 7, 7]])
    found = mx.nd.contrib.ROIAlign(image, boxes, pooled_size=(2, 2), spatial_scale=1.0, sample_ratio=2).asnumpy()
    assert found[0].ravel().tolist() == [1, 0, 1, 1]
    assert found[2].ravel().tolist() == [1, 1, 1, 1]


def test_images_of_rois():
    found = with_images(mx.nd, mx.nd.array(np.arange(24).reshape(2, 3, 4))).asnumpy()
    assert found[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(found[:, 1:].ravel(), np.arange(24))


OBJECTS = [
    [[1, 10, 10, 50, 60], [0, 40, 40, 90, 90], [-1, -1, -1, -1, -1]],
    [[-2, 0, 0, 60, 100], [2, 70, 70, 95, 95], [-1, -1, -1, -1, -1]],
    [[-1, -1, -1, -1, -1]] * 3,
]


def candidates(seed=0, count=80):
    """Proposals (3, count, 4), some of them near objects, and which exist."""
    random = np.random.RandomState(seed)
    boxes = np.stack([random_boxes(random, count) for _ in range(3)])
    for image, rows in enumerate(np.array(OBJECTS, float)):
        true = rows[rows[:, 0] >= 0][:, 1:]
        for number in range(len(true) * 12):
            boxes[image, number] = true[number % len(true)] + random.uniform(-3, 3, 4)
    exist = np.ones((3, count))
    exist[:, -10:] = 0
    return boxes.astype(np.float32), exist


def chosen(samples, share=0.25, seed=0, shuffled=0):
    boxes, exist = candidates()
    random = np.random.RandomState(shuffled)
    order = np.stack([random.permutation(boxes.shape[1] + 3) for _ in range(3)])
    return boxes, exist, RoiSampling(samples, share)(
        mx.nd, *(mx.nd.array(each) for each in (boxes, exist, np.array(OBJECTS, float), order))
    )  # fmt: skip


@pytest.mark.parametrize(('samples', 'share'), [(16, 0.25), (64, 0.25), (24, 0.5)])
def test_samples_and_their_targets(samples, share):
    boxes, exist, found = chosen(samples, share)
    rois_, labels, targets, objects = (each.asnumpy() for each in found)
    back = decode(mx.nd, mx.nd.array(targets), centered(mx.nd, mx.nd.array(rois_))).asnumpy()
    for image, rows in enumerate(np.array(OBJECTS, float)):
        true = rows[rows[:, 0] >= 0]
        every = np.concatenate([boxes[image][exist[image] > 0], true[:, 1:]])
        shares = iou(every, true[:, 1:]) if len(true) else np.zeros((len(every), 1))
        positive = shares.max(axis=1) >= 0.5
        negative = ~positive
        if image == 1:  # what is mostly in the crowd is no example
            crowd = rows[0, 1:]
            low, high = np.maximum(every[:, :2], crowd[:2]), np.minimum(every[:, 2:], crowd[2:])
            inside = np.prod(np.maximum(high - low, 0), axis=1) / np.prod(every[:, 2:] - every[:, :2], axis=1)
            negative &= inside <= 0.5
        wanted = min(positive.sum(), round(samples * share))
        assert (labels[image] > 0).sum() == wanted
        assert (labels[image] == 0).sum() == min(negative.sum(), samples - wanted)
        used = labels[image] >= 0
        rows_of = {tuple(np.round(box, 3)): number for number, box in enumerate(every.astype(np.float32))}
        numbers = [rows_of[tuple(np.round(box, 3))] for box in rois_[image][used]]
        assert len(set(numbers)) == len(numbers), 'a RoI was chosen twice'
        owned = zip(numbers, labels[image][used], targets[image], back[image], objects[image])
        for number, label, coded, decoded, owner in owned:
            assert positive[number] == (label > 0)
            assert label > 0 or negative[number]
            if label > 0:
                match = true[shares[number].argmax()]
                assert np.array_equal(match, OBJECTS[image][int(owner)])
                assert label == match[0] + 1
                assert np.abs(decoded - match[1:]).max() < 1e-2
            else:
                assert not coded.any()
    assert (labels[2] > 0).sum() == 0


def test_samples_follow_from_the_order():
    _, _, first = chosen(16)
    _, _, again = chosen(16)
    _, _, other = chosen(16, shuffled=1)
    assert all(np.array_equal(one.asnumpy(), two.asnumpy()) for one, two in zip(first, again))
    assert not np.array_equal(first.boxes.asnumpy(), other.boxes.asnumpy())

"""Detections against loops over the boxes in numpy."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models.detection.suppression import Suppression


def overlap(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def expected(logits, offsets, anchors, suppression):
    """The detections of one image: rows of class, score, corners."""
    odds = np.exp(logits.astype(np.float64))
    found = []
    for number, row in enumerate(odds / odds.sum(axis=1, keepdims=True)):
        cx, cy, w, h = anchors[number]
        dx, dy, dw, dh = offsets[number]
        x, y, half_w, half_h = cx + 0.1 * dx * w, cy + 0.1 * dy * h, w * np.exp(0.2 * dw) / 2, h * np.exp(0.2 * dh) / 2
        box = (x - half_w, y - half_h, x + half_w, y + half_h)
        found += [(which, score, *box) for which, score in enumerate(row[1:]) if score > suppression.score]
    found.sort(key=lambda row: -row[1])
    kept = []
    for row in found[: suppression.top]:
        if all(row[0] != other[0] or overlap(row[2:], other[2:]) <= suppression.threshold for other in kept):
            kept.append(row)
    return np.array(kept[: suppression.keep]).reshape(-1, 6)


def example(images=3, anchors=60, classes=4, seed=0):
    random = np.random.RandomState(seed)
    logits = random.normal(0, 2, (images, anchors, 1 + classes)).astype('float32')
    offsets = random.normal(0, 1, (images, anchors, 4)).astype('float32')
    boxes = np.concatenate([random.uniform(0, 100, (anchors, 2)), random.uniform(15, 50, (anchors, 2))], axis=1)
    return logits, offsets, boxes.astype('float32')


def run(suppression, logits, offsets, anchors):
    return suppression(mx.nd, mx.nd.array(logits), mx.nd.array(offsets), mx.nd.array(anchors), logits.shape[2] - 1)


@pytest.mark.parametrize(
    'suppression',
    [
        Suppression(),
        Suppression(threshold=0.2, top=50, keep=20),
        Suppression(threshold=1.0, top=30, keep=30, score=0.2),
        Suppression(top=1, keep=1),
    ],
)
def test_detections_are_those_of_loops(suppression):
    logits, offsets, anchors = example()
    ours = run(suppression, logits, offsets, anchors).asnumpy()
    assert ours.shape == (3, suppression.keep, 6)
    for image in range(3):
        rows = expected(logits[image], offsets[image], anchors, suppression)
        assert len(rows) > 0
        assert np.abs(ours[image, : len(rows)] - rows).max() <= 1e-3
        assert (ours[image, len(rows) :] == -1).all()


def test_fewer_scores_than_top_and_none_above_the_threshold():
    logits, offsets, anchors = example(anchors=2, classes=1)
    assert run(Suppression(), logits, offsets, anchors).shape == (3, 100, 6)
    logits[:, :, 0] = 50
    assert (run(Suppression(), logits, offsets, anchors).asnumpy() == -1).all()


def test_an_image_has_the_same_detections_in_any_batch():
    logits, offsets, anchors = example()
    logits[1] = np.round(logits[1])  # ties
    together = run(Suppression(), logits, offsets, anchors).asnumpy()
    for image in range(3):
        alone = run(Suppression(), logits[image : image + 1], offsets[image : image + 1], anchors).asnumpy()
        assert np.array_equal(alone[0], together[image])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'threshold': 0.0}, 'nms_threshold must be in'),
        ({'threshold': 'high'}, "nms_threshold must be in .*, got 'high'"),
        ({'score': 'nan'}, "score_threshold must be in .*, got 'nan'"),
        ({'score': 1.0}, 'score_threshold must be in'),
        ({'top': 0, 'keep': 0}, 'nms_top must be a positive integer, got 0'),
        ({'keep': 401}, 'keep must be at most nms_top 400, got 401'),
        ({'keep': 10.0}, 'keep must be a positive integer, got 10.0'),
    ],
)
def test_bad_values(options, message):
    with pytest.raises(ValueError, match=message):
        Suppression(**options)

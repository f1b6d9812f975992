"""Suggested anchors, on boxes whose clusters are known, and against a direct computation of the IoU."""

import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.anchors import centered_iou, suggest_anchors


def iou(first, second):
    """Of two boxes with their center at the origin."""
    shared = min(first[0], second[0]) * min(first[1], second[1])
    return shared / (first[0] * first[1] + second[0] * second[1] - shared)


def test_iou_of_centered_boxes():
    random = np.random.RandomState(0)
    first, second = random.uniform(1, 9, (5, 2)), random.uniform(1, 9, (4, 2))
    assert np.allclose(centered_iou(first, second), [[iou(a, b) for b in second] for a in first])


@pytest.mark.parametrize('seed', range(5))
def test_finds_clusters(seed):
    random = np.random.RandomState(1)
    centers = np.array([[10, 12], [40, 20], [20, 90], [200, 180]])
    sides = np.concatenate([center * random.uniform(0.95, 1.05, (60, 2)) for center in centers])
    found = suggest_anchors(random.permutation(sides), 4, seed)
    assert np.allclose(found.sizes, sorted(centers.tolist(), key=np.prod), rtol=0.03)
    assert found.boxes.tolist() == [60, 60, 60, 60]
    best = [max(iou(side, size) for size in found.sizes) for side in sides]
    assert found.mean_iou == pytest.approx(np.mean(best))


def test_more_anchors_fit_better_and_equal_arguments_give_equal_anchors():
    sides = np.random.RandomState(2).lognormal(3, 0.8, (400, 2))
    overlaps = [suggest_anchors(sides, count).mean_iou for count in (1, 3, 9)]
    assert overlaps == sorted(overlaps)
    assert np.array_equal(suggest_anchors(sides, 5).sizes, suggest_anchors(sides, 5).sizes)


def test_more_anchors_than_sizes_are_refused():
    with pytest.raises(UsageError, match='2 different sizes'):
        suggest_anchors(np.array([[1, 2], [1, 2], [3, 4.0]]), 3)

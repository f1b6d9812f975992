"""Anchors suggested by the boxes of a data set: k-means with the IoU as distance.

Redmon and Farhadi, YOLO9000 (CVPR 2017), section 2: ``d(box, centroid) = 1 - IoU(box, centroid)`` of boxes with one
center, which treats large and small boxes alike, unlike Euclidean distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gluon_cbam.common.errors import UsageError

_SAMPLE = 50_000  # boxes at most; more change the anchors by less than their rounding
_ROUNDS = 300


class Anchors(NamedTuple):
    """Suggested anchors.

    Attributes:
        sizes: (k, 2) float64, width and height of each, by area.
        mean_iou: the mean over the boxes of the IoU with the best anchor.
        boxes: number of boxes of each anchor.
    """

    sizes: np.ndarray
    mean_iou: float
    boxes: np.ndarray


def suggest_anchors(sides: np.ndarray, count: int, seed: int = 0) -> Anchors:
    """Find the anchors that boxes overlap most on average.

    Args:
        sides: (n, 2), width and height of each box, positive, in any unit.
        count: number of anchors.
        seed: random seed of the first centroids (k-means++).

    Returns:
        The anchors, in the unit of ``sides``. Equal arguments give equal anchors.

    Raises:
        UsageError: there are fewer boxes of different sizes than anchors.
    """
    random = np.random.RandomState(seed)
    different = len(np.unique(np.round(sides, 6), axis=0)) if len(sides) else 0
    if not 1 <= count <= different:
        raise UsageError(f'{different} different sizes of boxes give 1 to {different} anchors, got {count}')
    sample = sides if len(sides) <= _SAMPLE else sides[np.sort(random.permutation(len(sides))[:_SAMPLE])]
    centroids = _first_centroids(sample, count, random)
    nearest = np.full(len(sample), -1)
    for _ in range(_ROUNDS):
        before, nearest = nearest, centered_iou(sample, centroids).argmax(axis=1)
        if np.array_equal(before, nearest):
            break
        for index in range(count):
            if (nearest == index).any():
                centroids[index] = sample[nearest == index].mean(axis=0)
    centroids = centroids[np.argsort(centroids.prod(axis=1), kind='stable')]
    overlaps = centered_iou(sample, centroids)
    used = np.bincount(overlaps.argmax(axis=1), minlength=count)
    return Anchors(centroids, float(overlaps.max(axis=1).mean()), used)


def _first_centroids(sides: np.ndarray, count: int, random: np.random.RandomState) -> np.ndarray:
    """Boxes far from one another, as k-means++ chooses them."""
    centroids = sides[random.randint(len(sides))][None]
    while len(centroids) < count:
        far = (1 - centered_iou(sides, centroids).max(axis=1)).clip(0) ** 2
        chosen = np.searchsorted(np.cumsum(far), random.uniform(0, far.sum()), 'right')
        centroids = np.concatenate([centroids, sides[min(int(chosen), len(sides) - 1)][None]])
    return centroids.astype(np.float64)


def centered_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The IoU of boxes with one center: (n, m).

    Args:
        first: (n, 2), width and height.
        second: (m, 2).
    """
    shared = np.minimum(first[:, None], second[None]).prod(axis=2)
    return shared / (first.prod(axis=1)[:, None] + second.prod(axis=1)[None] - shared)

"""Intersection over union of detections and true boxes, kept only where they overlap enough to matter."""

from __future__ import annotations

from typing import List, NamedTuple

import numpy as np

from .tables import Found, Truths

_BLOCK = 1 << 20  # pairs whose overlaps are computed at once


class Pairs(NamedTuple):
    """Detections and true boxes that overlap, sorted by the row of the detection, then by that of the true box.

    Attributes:
        found: (p,) int64, rows of detections.
        truths: (p,) int64, rows of true boxes.
        ious: (p,) float64.
    """

    found: np.ndarray
    truths: np.ndarray
    ious: np.ndarray


def overlaps(found: np.ndarray, truths: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """The intersection over union of boxes, row by row (``bbIou`` of pycocotools' ``maskApi.c``).

    Args:
        found: (p, 4) xmin, ymin, xmax, ymax.
        truths: (p, 4).
        crowd: (p,) bool, where the union is the area of the detection alone.

    Returns:
        (p,) float64; 0 where boxes do not overlap, also for boxes without area.
    """
    low, high = np.maximum(found[:, :2], truths[:, :2]), np.minimum(found[:, 2:], truths[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    own, other = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (found, truths))
    union = np.where(crowd, own, own + other - common)
    return np.divide(common, union, out=np.zeros(len(common)), where=common > 0)


def overlapping(found: Found, truths: Truths, least: float, crowds: bool = False) -> Pairs:
    """The pairs of a detection and a true box of one image that overlap, of any classes.

    The memory follows from the pairs that are returned, as the others are computed in blocks.

    Args:
        found: the detections.
        truths: the true boxes.
        least: the smallest intersection over union.
        crowds: whether the overlap with a crowd is the share of the detection that lies in it.

    Returns:
        The pairs.
    """
    order = np.argsort(truths.images, kind='stable')
    images = truths.images[order]
    first = np.searchsorted(images, found.images, side='left')
    counts = np.searchsorted(images, found.images, side='right') - first
    parts = [_block(found, truths, order, first, counts, rows, least, crowds) for rows in _blocks(counts)]
    return Pairs(*(np.concatenate(column) for column in zip(*parts)))


def _blocks(counts: np.ndarray) -> List[slice]:
    """Slices of detections that have about :data:`_BLOCK` pairs together."""
    total = np.cumsum(counts)
    limits = np.searchsorted(total, np.arange(_BLOCK, (total[-1] if len(total) else 0) + _BLOCK, _BLOCK), side='right')
    edges = np.unique(np.concatenate([[0], limits, [len(counts)]]))
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])] or [slice(0, 0)]


def _block(
    found: Found,
    truths: Truths,
    order: np.ndarray,
    first: np.ndarray,
    counts: np.ndarray,
    rows: slice,
    least: float,
    crowds: bool,
) -> Pairs:
    """The pairs of some detections."""
    each = counts[rows]
    detections = np.repeat(np.arange(rows.start, rows.stop), each)
    within = np.arange(len(detections)) - np.repeat(np.cumsum(each) - each, each)
    others = order[first[detections] + within]
    crowd = truths.crowd[others] if crowds else np.zeros(len(others), bool)
    ious = overlaps(found.corners[detections], truths.corners[others], crowd)
    kept = ious >= least
    return Pairs(detections[kept], others[kept], ious[kept])

"""Matching of anchors with objects (Liu et al., ECCV 2016, section 2.2), on the device.

Each object gets the anchor with the largest IoU: of all pairs the best is taken first, and then the best of the anchors
and objects that are left. Other anchors match the object with which they have the largest IoU, if it is at least a
threshold, or equal to the largest IoU of that object. This is what GluonCV's ``SSDTargetGenerator`` does; an object
that no anchor overlaps matches none here, where GluonCV gives it all anchors that overlap nothing.
"""

from __future__ import annotations

from typing import List, Tuple

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.picking import of_each

_ORDER = 1e-15
"""What a number of an anchor takes from its IoU in float64: less than the rounding of float32 does."""


def match(F: OpNamespace, overlaps: Tensor, shape: Tuple[int, int, int], threshold: float) -> Tensor:
    """Match anchors with objects.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        overlaps: (N, M, A), the IoU of objects and anchors; 0 for objects that are padding.
        shape: N, M and A.
        threshold: the IoU from which an anchor matches.

    Returns:
        (N, A), the number of the object that an anchor matches; -1 for none.
    """
    images, objects, anchors = shape
    nearest = F.argmax(overlaps, axis=1)  # (N, A)
    best = F.pick(overlaps, nearest, axis=1)
    given, first = assigned_anchors(F, overlaps, shape)  # (N, M)
    forced = F.where(given >= 0, given, F.ones_like(given) * anchors)  # those without one share a place after the last
    rows = F.broadcast_add(F.zeros_like(forced), F.arange(images).reshape((-1, 1)))
    numbers = F.broadcast_add(F.zeros_like(forced), F.arange(1, objects + 1).reshape((1, -1)))
    places = F.stack(rows.reshape((-1,)), forced.reshape((-1,)), axis=0)
    forced = F.scatter_nd(numbers.reshape((-1,)), places, shape=(images, anchors + 1))
    forced = F.slice_axis(forced, axis=1, begin=0, end=anchors) - 1
    largest = of_each(F, F.pick(overlaps, first, axis=2), nearest)
    matches = (best >= threshold) + (best >= largest) * (best > 0)
    return F.where(forced >= 0, forced, F.where(matches > 0, nearest, F.ones_like(nearest) * -1))


def assigned_anchors(F: OpNamespace, overlaps: Tensor, shape: Tuple[int, int, int]) -> Tuple[Tensor, Tensor]:
    """Assign an anchor of its own to each object, the pairs with the largest IoU first.

    Of equal pairs, as those of an object inside several anchors of one shape, that of the first anchor comes first, and
    then that of the first object, so that the result does not depend on the order in which a device sorts.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        overlaps: (N, M, A), see :func:`match`.
        shape: N, M and A.

    Returns:
        (N, M), the number of the anchor, -1 for objects that no free anchor overlaps; and (N, M), the number of the
        anchor with the largest IoU, free or not.
    """
    _, objects, anchors = shape
    candidates = min(objects, anchors)  # of more, the others cannot be taken by other objects
    exact = F.cast(overlaps, dtype='float64')
    order = F.arange(anchors, dtype='float64').reshape((1, 1, -1)) * _ORDER
    scores, numbers = F.topk(F.broadcast_sub(exact, order), k=candidates, axis=2, ret_typ='both')  # (N, M, K)
    first = F.slice_axis(numbers, axis=2, begin=0, end=1).reshape((0, -1))
    scores, numbers = scores.reshape((0, -1)), numbers.reshape((0, -1))  # (N, M K)
    place = F.arange(objects * candidates).reshape((1, -1))
    owner = F.arange(objects, repeat=candidates).reshape((1, -1))
    won: List[Tensor] = []
    for _ in range(objects):
        chosen = F.cast(F.argmax(scores, axis=1, keepdims=True), dtype='float32')  # (N, 1)
        won.append(F.broadcast_equal(place, chosen) * F.cast(scores > 0, dtype='float32'))
        taken = F.broadcast_equal(numbers, F.pick(numbers, chosen, keepdims=True))
        taken = taken + F.broadcast_equal(owner, F.floor(chosen / candidates))
        scores = scores * F.cast(taken == 0, dtype='float64')
    given = F.add_n(*won) * (numbers + 1)
    return F.sum(given.reshape((0, objects, candidates)), axis=2) - 1, first

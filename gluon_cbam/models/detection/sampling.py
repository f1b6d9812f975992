"""Random samples of positive and negative boxes of each image, which follow from numbers that are given."""

from __future__ import annotations

from typing import Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .suppression import top_scores


def sample(
    F: OpNamespace, positive: Tensor, negative: Tensor, order: Tensor, count: int, most: int
) -> Tuple[Tensor, Tensor]:
    """Choose some of the positive boxes of each image, and fill up with negative ones.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        positive: (N, K), 1 or 0.
        negative: (N, K), likewise; a box is not both.
        order: (N, K), a permutation of 0 to K - 1 for each image: those with the largest numbers are chosen.
        count: boxes of an image that are chosen; fewer where there are fewer.
        most: positive boxes of an image that are chosen at most.

    Returns:
        The chosen positive and the chosen negative boxes, (N, K) each, 1 or 0.
    """
    all_of = F.ones_like(F.slice_axis(order, axis=1, begin=0, end=1))  # (N, 1)
    chosen = _first(F, positive, order, all_of * most, most)
    room = count - F.sum(chosen, axis=1, keepdims=True)
    return chosen, _first(F, negative, order, room, count)


def _first(F: OpNamespace, members: Tensor, order: Tensor, room: Tensor, most: int) -> Tensor:
    """The members with the largest numbers, as many as the image has room (N, 1) for, which is at most ``most``."""
    numbers = members * (order + 1)
    best, _ = top_scores(F, numbers, most + 1)
    return F.broadcast_greater(numbers, F.pick(best, room.reshape((-1,)), axis=1, keepdims=True))

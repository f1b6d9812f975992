"""The softmax over the logits of several shards, with one large array on each device besides the logits."""

from __future__ import annotations

from typing import Tuple

import mxnet as mx


class Exponentials:
    """The exponentials of the logits of a shard.

    Attributes:
        summary: of each example the largest logit, the sum of exponentials of the distances to it, and the logit of its
            class, 0 if another shard has the class, (1, N, 3): what the other shards need to know.

    Args:
        logits: (N, C).
        columns: the column of each example's class, (N,), or -1 if another shard has the class.
    """

    def __init__(self, logits: mx.nd.NDArray, columns: mx.nd.NDArray) -> None:
        self._largest = logits.max(axis=1, keepdims=True)
        self._values = mx.nd.broadcast_sub(logits, self._largest)
        mx.nd.exp(self._values, out=self._values)
        self._columns, self._mine = columns, (columns >= 0).expand_dims(1)
        own = mx.nd.pick(logits, columns, axis=1, keepdims=True) * self._mine
        totals = self._values.sum(axis=1, keepdims=True)
        self.summary = mx.nd.concat(self._largest, totals, own, dim=1).expand_dims(0)

    def gradient(self, summaries: mx.nd.NDArray) -> mx.nd.NDArray:
        """The gradient of the losses' sum with respect to the logits, (N, C); the exponentials are overwritten.

        Args:
            summaries: the summaries of all shards, (shards, N, 3).
        """
        top, total = _total(summaries)
        shares = self._values
        mx.nd.broadcast_mul(shares, mx.nd.exp(self._largest - top.expand_dims(1)) / total.expand_dims(1), out=shares)
        places = mx.nd.maximum(self._columns, 0)  # examples of other shards keep the share of the first column
        own = mx.nd.pick(shares, places, axis=1, keepdims=True) - self._mine
        rows = mx.nd.arange(len(places), ctx=places.context, dtype=places.dtype)
        mx.nd._internal._scatter_set_nd(
            lhs=shares, rhs=own.reshape((-1,)), indices=mx.nd.stack(rows, places), shape=shares.shape, out=shares
        )
        return shares


def cross_entropy(summaries: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
    """The loss of each example, and 1 where the largest logit is that of another class than its own, (N,) each.

    Args:
        summaries: the summaries of all shards, (shards, N, 3).
    """
    top, total = _total(summaries)
    own = summaries[:, :, 2].sum(axis=0)
    return top - own + total.log(), top > own


def _total(summaries: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
    """The largest logit over all shards, and the sum of exponentials of the distances to it, (N,) each."""
    largest, totals = summaries[:, :, 0], summaries[:, :, 1]
    top = largest.max(axis=0)
    return top, (totals * mx.nd.exp(mx.nd.broadcast_sub(largest, top.expand_dims(0)))).sum(axis=0)

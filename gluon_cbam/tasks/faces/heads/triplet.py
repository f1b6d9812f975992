"""Triplet losses with semi-hard negatives from the batch (Schroff et al., CVPR 2015)."""

from __future__ import annotations

from typing import Any, NamedTuple

from mxnet.gluon import HybridBlock

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.types import OpNamespace, Tensor

from .angles import angle
from .class_weight import norms
from .table import check_margin

_FAR = 1e4  # beyond every distance, also in float16


class TripletRow(NamedTuple):
    """A triplet loss.

    Attributes:
        angular: whether distances are angles in radians; otherwise squared Euclidean distances.
        alpha: the margin of insightface.
    """

    angular: bool
    alpha: float


TRIPLETS = {'triplet': TripletRow(False, 0.3), 'atriplet': TripletRow(True, 0.35)}
"""Name of a loss -> its row; the names are insightface's."""


class TripletLoss(HybridBlock):
    """The mean over the positives p of each anchor a of ReLU(d(a, p) - d(a, n) + alpha), of normalized embeddings.

    The negative n of a pair is the nearest one that is farther than p, a semi-hard one where it is within alpha; where
    there is none, it is the farthest negative. An anchor without a positive or without a negative has loss 0.

    Args:
        alpha: the margin.
        angular: whether distances are angles in radians; otherwise squared Euclidean distances.
        per_identity: pictures of an identity in the batch, which lie together.
        dtype: type of the embeddings, see :mod:`.angles`.

    Inputs:
        embeddings (N, D) and labels (N,); N is a multiple of ``per_identity``.

    Outputs:
        The loss (N,) of each anchor; the mean cosine of the anchor and its positives (N,); the norms (N, 1).
    """

    def __init__(self, alpha: float, angular: bool, per_identity: int, dtype: str = 'float32', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._alpha, self._angular, self._size, self._dtype = alpha, angular, per_identity, dtype

    def hybrid_forward(self, F: OpNamespace, x: Tensor, label: Tensor) -> Any:
        """See :class:`TripletLoss`."""
        x = F.cast(x, dtype=self._dtype)
        norm = norms(F, x)
        unit = F.broadcast_div(x, norm)
        column = F.reshape(label, shape=(-1, 1))
        others = F.broadcast_not_equal(column, F.reshape(label, shape=(1, -1)))
        distances = self._distance(F, F.dot(unit, unit, transpose_b=True))
        farthest = F.max(F.where(others, distances, F.ones_like(distances) * -_FAR), axis=1, keepdims=True)
        losses, cosines, pairs = [], [], []
        for offset in range(1, self._size):
            cosine = F.sum(unit * self._rolled(F, unit, offset), axis=1, keepdims=True)
            positive = column == self._rolled(F, column, offset)
            losses.append(positive * self._of_pairs(F, self._distance(F, cosine), distances, others, farthest))
            cosines.append(positive * cosine)
            pairs.append(positive)
        count = F.maximum(F.add_n(*pairs), 1)
        return (
            F.reshape(F.add_n(*losses) / count, shape=(-1,)),
            F.BlockGrad(F.reshape(F.add_n(*cosines) / count, shape=(-1,))),
            norm,
        )

    def _of_pairs(
        self, F: OpNamespace, positive: Tensor, distances: Tensor, others: Tensor, farthest: Tensor
    ) -> Tensor:
        """The loss of each anchor and one positive, (N, 1), whose distance is (N, 1)."""
        farther = others * F.broadcast_greater(distances, positive)
        nearest = F.min(F.where(farther, distances, F.ones_like(distances) * _FAR), axis=1, keepdims=True)
        negative = F.where(nearest < _FAR, nearest, farthest)
        return F.relu(positive - negative + self._alpha) * (farthest > -_FAR)

    def _distance(self, F: OpNamespace, cosine: Tensor) -> Tensor:
        return angle(F, cosine, self._dtype) if self._angular else 2 - 2 * cosine

    def _rolled(self, F: OpNamespace, rows: Tensor, offset: int) -> Tensor:
        """For each row the one that lies ``offset`` further in the same group."""
        groups = F.reshape(rows, shape=(-4, -1, self._size, -2))
        first, rest = (F.slice_axis(groups, axis=1, begin=a, end=b) for a, b in ((offset, None), (0, offset)))
        return F.reshape(F.concat(first, rest, dim=1), shape=(-3, -2))


def make_triplet(name: str, margins: Any = (), per_identity: int = 5) -> TripletLoss:
    """The triplet loss of a name.

    Args:
        name: a key of :data:`TRIPLETS`.
        margins: alpha, or nothing for insightface's.
        per_identity: see :class:`TripletLoss`.

    Raises:
        UsageError: there is no such loss, there are several margins, or alpha is negative or not finite.
    """
    if name not in TRIPLETS:
        raise UsageError(f'unknown head {name!r}: {closest(name, TRIPLETS)}')
    if len(margins) > 1:
        raise UsageError(f'--margin {",".join(f"{value:g}" for value in margins)}: the head {name} takes 1: alpha')
    for value in margins:
        check_margin('alpha', value)
    row = TRIPLETS[name]
    return TripletLoss(margins[0] if margins else row.alpha, row.angular, per_identity)

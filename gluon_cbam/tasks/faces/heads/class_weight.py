"""The products of embeddings and class weights."""

from __future__ import annotations

from typing import Optional

from gluon_cbam.common.types import OpNamespace, Tensor

_SMALLEST = 1e-10  # the smallest squared norm; MXNet's L2Normalization adds it, which changes sines near 0


def norms(F: OpNamespace, rows: Tensor) -> Tensor:
    """The norms of rows, (N, 1), at least 1e-5, so that a row of zeros can be divided by its norm."""
    return F.sqrt(F.maximum(F.sum(F.square(rows), axis=1, keepdims=True), _SMALLEST))


def products(
    F: OpNamespace,
    embedding: Tensor,
    norm: Tensor,
    weight: Tensor,
    rows: int,
    normalized: bool = True,
    subcenters: int = 1,
    bias: Optional[Tensor] = None,
) -> Tensor:
    """The cosines of embeddings and class weights, or their products.

    Args:
        F: the operators.
        embedding: (N, D).
        norm: the :func:`norms` of the embeddings, (N, 1).
        weight: the class weights, or those of a shard, (rows, D); the rows of a class lie together.
        rows: the number of rows of the weight: classes times ``subcenters``.
        normalized: whether embeddings and weights are divided by their norms.
        subcenters: rows of a class, of which the one with the largest product counts (Sub-center ArcFace, Deng et al.,
            ECCV 2020, equation 4).
        bias: added to the products, (rows,).

    Returns:
        (N, classes).
    """
    if normalized:
        embedding = F.broadcast_div(embedding, norm)
    inputs = (embedding, weight) if bias is None else (embedding, weight, bias)
    values = F.FullyConnected(*inputs, num_hidden=rows, no_bias=bias is None)
    if normalized:  # the products are divided, not the weights, which may be far larger
        values = F.broadcast_mul(values, F.reshape(1 / norms(F, weight), shape=(1, -1)))
    if subcenters > 1:
        values = F.max(F.reshape(values, shape=(0, -1, subcenters)), axis=2)
    return values

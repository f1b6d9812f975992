"""The products of embeddings and class weights."""

from __future__ import annotations

from typing import NamedTuple, Optional

from gluon_cbam.common.types import OpNamespace, Tensor

from .margin import Margin

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


class Comparison(NamedTuple):
    """Embeddings compared with class weights.

    Attributes:
        products: (N, classes), cosines for normalized heads.
        target: the product of each image and its class, (N, 1).
        cosine: their cosine, (N, 1).
        norm: the norm of each embedding, (N, 1).
    """

    products: Tensor
    target: Tensor
    cosine: Tensor
    norm: Tensor


def compare(
    F: OpNamespace,
    margin: Margin,
    embedding: Tensor,
    columns: Tensor,
    weight: Tensor,
    classes: int,
    subcenters: int = 1,
    bias: Optional[Tensor] = None,
) -> Comparison:
    """Compare embeddings with the class weights of all classes, or of a shard.

    Args:
        F: the operators.
        margin: the margin.
        embedding: (N, D).
        columns: the column of each image's class, (N,); for -1 the target is that of the first column.
        weight: see :func:`products`.
        classes: the number of classes.
        subcenters: see :func:`products`.
        bias: see :func:`products`.
    """
    norm = norms(F, embedding)
    values = products(F, embedding, norm, weight, classes * subcenters, margin.normalized, subcenters, bias)
    values = F.cast(values, dtype=margin.dtype)  # mixed precision multiplies in float16
    target = cosine = F.pick(values, columns, axis=1, keepdims=True)
    if not margin.normalized:
        own = F.take(weight, columns)  # clipped to the first one, too
        cosine = F.sum(embedding * own, axis=1, keepdims=True) / (norm * norms(F, own))
    return Comparison(values, target, cosine, norm)

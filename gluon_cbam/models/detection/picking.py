"""Picking of values by their numbers, for each image of a batch."""

from __future__ import annotations

from gluon_cbam.common.types import OpNamespace, Tensor


def of_each(F: OpNamespace, values: Tensor, numbers: Tensor) -> Tensor:
    """Pick values of an image by their numbers.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        values: (N, M) or (N, M, D).
        numbers: (N, A), from 0 to M - 1.

    Returns:
        (N, A) or (N, A, D).
    """
    image = F.broadcast_add(F.zeros_like(numbers), F.contrib.arange_like(numbers, axis=0).reshape((-1, 1)))
    return F.gather_nd(values, F.stack(image, numbers, axis=0))

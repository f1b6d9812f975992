"""The coding of boxes relative to anchors (Liu et al., ECCV 2016, equation 2, with the variances of its code).

A box (center x, y, width w, height h) is coded at an anchor (ax, ay, aw, ah) as ``(x - ax) / aw / 0.1``,
``(y - ay) / ah / 0.1``, ``log(w / aw) / 0.2`` and ``log(h / ah) / 0.2``; region proposals have other divisors. Decoding
limits a box to 1000 times its anchor, so that the outputs of a network that diverges remain finite.
"""

from __future__ import annotations

import math
from typing import Any, Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

CENTER, SIZE = 0.1, 0.2
"""The standard deviations that offsets are divided by."""
LARGEST = math.log(1000)
"""The largest logarithm of a width or height over that of the anchor."""


def encode(F: OpNamespace, corners: Tensor, anchors: Tensor, scales: Tuple[float, float] = (CENTER, SIZE)) -> Tensor:
    """Code boxes relative to anchors.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        corners: (N, A, 4), xmin, ymin, xmax and ymax of a box for each anchor, of positive width and height.
        anchors: (1, A, 4) or (N, A, 4), centers, widths and heights.
        scales: what the offsets of the center, and the logarithms of the size, are divided by.

    Returns:
        (N, A, 4).
    """
    low, high = _part(F, corners, 0), _part(F, corners, 2)
    center, size = _part(F, anchors, 0), _part(F, anchors, 2)
    places = F.broadcast_div(F.broadcast_sub((low + high) * 0.5, center), size) / scales[0]
    sizes = F.log(F.broadcast_div(high - low, size)) / scales[1]
    return F.concat(places, sizes, dim=-1)


def decode(
    F: OpNamespace,
    offsets: Tensor,
    anchors: Tensor,
    scales: Tuple[float, float] = (CENTER, SIZE),
    largest: float = LARGEST,
) -> Tensor:
    """Decode the offsets of a network: the inverse of :func:`encode`.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        offsets: (N, A, 4).
        anchors: (1, A, 4) or (N, A, 4), centers, widths and heights.
        scales: as for :func:`encode`.
        largest: the limit of the logarithms of the sizes.

    Returns:
        (N, A, 4), xmin, ymin, xmax and ymax.
    """
    center, size = _part(F, anchors, 0), _part(F, anchors, 2)
    places = F.broadcast_add(F.broadcast_mul(_part(F, offsets, 0) * scales[0], size), center)
    half = F.broadcast_mul(F.exp(F.minimum(_part(F, offsets, 2) * scales[1], largest)), size) * 0.5
    return F.concat(places - half, places + half, dim=-1)


def _part(F: OpNamespace, boxes: Tensor, begin: int) -> Any:
    """Two of the four numbers of boxes."""
    return F.slice_axis(boxes, axis=-1, begin=begin, end=begin + 2)

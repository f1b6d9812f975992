"""The coding of boxes relative to cells of a map and anchor sizes (Redmon and Farhadi, arXiv 1804.02767, section 2.1).

The center of a box is in its cell: ``x = (cell + sigmoid(tx)) * stride``; its width is ``exp(tw)`` times that of the
anchor, and y and height likewise. Decoding limits a box to 1000 times its anchor, so that the outputs of a network that
diverges remain finite.
"""

from __future__ import annotations

from typing import Sequence, Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .box_coding import LARGEST
from .boxes import halves


def cell_graph(
    F: OpNamespace, maps: Sequence[Tensor], strides: Sequence[int], anchors: Sequence[Sequence[Tuple[float, float]]]
) -> Tensor:
    """Compute the cells and anchors of maps by operators, for graphs that know no sizes.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        maps: the maps, (N, C, H, W) float32.
        strides: height and width of the cells of each map, in pixels of the input.
        anchors: width and height of the anchors of each map, in pixels.

    Returns:
        (A, 5): x and y of the upper left corner of the cell, its stride, and width and height of the anchor, in pixels;
        maps one after the other, each row by row, the anchors of a cell next to each other.
    """
    parts = []
    for each, stride, sizes in zip(maps, strides, anchors):
        x = F.contrib.arange_like(each, axis=3).reshape((1, -1, 1, 1)) * stride
        y = F.contrib.arange_like(each, axis=2).reshape((-1, 1, 1, 1)) * stride
        none = F.broadcast_add(0 * x, 0 * y)  # (H, W, 1, 1)
        place = [F.broadcast_add(x, none), F.broadcast_add(y, none), none + stride]
        cells = [F.concat(*place, none + width, none + height, dim=3) for width, height in sizes]
        parts.append(F.concat(*cells, dim=2).reshape((-1, 5)))
    return F.concat(*parts, dim=0)


def decode(F: OpNamespace, coded: Tensor, cells: Tensor) -> Tensor:
    """Decode boxes.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        coded: (N, A, 4), tx, ty, tw and th.
        cells: (1, A, 5) or (N, A, 5), see :func:`cell_graph`.

    Returns:
        (N, A, 4), xmin, ymin, xmax and ymax in pixels of the input.
    """
    place, scale = halves(F, coded)
    corner, stride, size = (
        F.slice_axis(cells, axis=-1, begin=begin, end=end) for begin, end in ((0, 2), (2, 3), (3, 5))
    )
    center = F.broadcast_add(F.broadcast_mul(F.sigmoid(place), stride), corner)
    half = F.broadcast_mul(F.exp(F.minimum(scale, LARGEST)), size) * 0.5
    return F.concat(center - half, center + half, dim=-1)

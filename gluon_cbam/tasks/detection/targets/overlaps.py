"""How much anchors, which all images of a batch share, overlap the boxes of each image."""

from __future__ import annotations

from gluon_cbam.common.types import OpNamespace, Tensor


def box_overlaps(F: OpNamespace, boxes: Tensor, chosen: Tensor, corners: Tensor) -> Tensor:
    """The IoU of boxes and anchors, (N, M, A); 0 for boxes that are not chosen."""
    rows = F.broadcast_mul(F.slice_axis(boxes, axis=2, begin=1, end=5), chosen)
    return F.contrib.box_iou(rows, corners, format='corner')


def share_in_crowds(F: OpNamespace, overlaps: Tensor, boxes: Tensor, sizes: Tensor) -> Tensor:
    """The largest share of each anchor that lies in a crowd region: (N, A), from their IoU."""
    low, high = (F.slice_axis(boxes, axis=2, begin=begin, end=begin + 2) for begin in (1, 3))
    region = F.prod(high - low, axis=2, keepdims=True)  # (N, M, 1)
    anchor = F.prod(sizes, axis=1).reshape((1, 1, -1))
    both = F.broadcast_add(region, anchor)
    shares = F.broadcast_div(overlaps / (1 + overlaps) * both, anchor)  # the intersection is IoU / (1 + IoU) of both
    return F.pick(shares, F.argmax(shares, axis=1), axis=1)

"""From a heat map of centers to detections (Zhou et al., "Objects as Points", arXiv 1904.07850, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from gluon_cbam.common.types import OpNamespace, Tensor

from .anchors import length
from .picking import of_each


@dataclass(frozen=True)
class Peaks:
    """The highest peaks of heat maps: cells that are at least as high as their eight neighbors.

    Attributes:
        keep: the detections of an image that are kept, over all classes.
        score: detections need a larger score.
    """

    keep: int = 100
    score: float = 0.01

    def __post_init__(self) -> None:
        if isinstance(self.keep, bool) or not isinstance(self.keep, int) or self.keep < 1:
            raise ValueError(f'keep must be a positive integer, got {self.keep!r}')
        if not isinstance(self.score, Real) or not 0 <= self.score < 1:
            raise ValueError(f'score_threshold must be in [0, 1), got {self.score!r}')

    def __call__(self, F: OpNamespace, heatmap: Tensor, sizes: Tensor, offsets: Tensor, stride: int) -> Tensor:
        """Find the detections.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            heatmap: (N, classes, H, W) float32 logits.
            sizes: (N, 2, H, W) float32, width and height of the box of a cell, in cells.
            offsets: (N, 2, H, W) float32, x and y of its center from the upper left corner of the cell, in cells.
            stride: height and width of a cell, in pixels of the input.

        Returns:
            (N, keep, 6) float32: class from 0, score, xmin, ymin, xmax and ymax in pixels; by falling score; -1 in rows
            without a detection.
        """
        highest = F.Pooling(heatmap, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type='max')
        scores = (F.sigmoid(heatmap) * (heatmap - highest >= 0)).reshape((0, 0, -1))  # (N, classes, H W)
        # of each class first, so that no number is too large for float32
        none = F.zeros_like(F.slice_axis(scores, axis=2, begin=0, end=1))
        padded = F.concat(scores, F.broadcast_axis(none, axis=2, size=self.keep), dim=2)
        of_class, cells = (each.reshape((0, -1)) for each in F.topk(padded, k=self.keep, axis=2, ret_typ='both'))
        best, place = F.topk(of_class, k=self.keep, axis=1, ret_typ='both')  # (N, keep)
        valid = best > self.score
        cell = of_each(F, cells, place) * valid
        columns = length(F, heatmap, 3).reshape((1, 1))
        row = F.floor(F.broadcast_div(cell, columns))
        center = F.stack(cell - F.broadcast_mul(row, columns), row, axis=2)  # (N, keep, 2)
        size, offset = (
            of_each(F, F.transpose(each, axes=(0, 2, 3, 1)).reshape((0, -1, 2)), cell) for each in (sizes, offsets)
        )
        center = center + offset
        half = F.relu(size) / 2  # a box of negative size is empty
        label = F.floor(place / self.keep)
        found = F.concat(F.stack(label, best, axis=2), (center - half) * stride, (center + half) * stride, dim=2)
        chosen = F.broadcast_axis(valid.expand_dims(2), axis=2, size=6)
        return F.where(chosen, found, F.zeros_like(found) - 1)

"""From a heat map of centers to detections (Zhou et al., "Objects as Points", arXiv 1904.07850, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .picking import of_each
from .suppression import top_scores


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
        if not 0 <= self.score < 1:
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
        scores = (F.sigmoid(heatmap) * (heatmap == highest)).reshape((0, -1))  # (N, classes H W)
        best, places = top_scores(F, scores, self.keep, dtype='float64')  # (N, keep)
        valid = best > self.score
        places = places * F.cast(valid, dtype='float64')
        rows, columns = (_length(F, heatmap, axis) for axis in (2, 3))
        label, cell = _divided(F, places, rows * columns)
        row, column = _divided(F, cell, columns)
        size, offset = (
            of_each(F, F.transpose(each, axes=(0, 2, 3, 1)).reshape((0, -1, 2)), cell) for each in (sizes, offsets)
        )
        center = F.cast(F.stack(column, row, axis=2), dtype='float32') + offset  # (N, keep, 2)
        half = F.relu(size) / 2  # a box of negative size is empty
        label = F.cast(label, dtype='float32')
        found = F.concat(F.stack(label, best, axis=2), (center - half) * stride, (center + half) * stride, dim=2)
        valid = F.broadcast_like(valid.expand_dims(2), found)
        return F.where(valid, found, F.ones_like(found) * -1)


def _length(F: OpNamespace, x: Tensor, axis: int) -> Tensor:
    """The length of an axis: (1, 1) float64."""
    numbers = F.cast(F.contrib.arange_like(x, axis=axis), dtype='float64')
    return F.max(numbers, axis=0, keepdims=True).reshape((1, 1)) + 1


def _divided(F: OpNamespace, numbers: Tensor, by: Tensor) -> Tuple[Tensor, Tensor]:
    """Whole numbers divided by another: quotients and remainders."""
    quotients = F.floor(F.broadcast_div(numbers, by))
    return quotients, numbers - F.broadcast_mul(quotients, by)

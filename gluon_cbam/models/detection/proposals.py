"""From the outputs of a region proposal network to proposals (Ren et al., NeurIPS 2015, section 3.3), on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

from .box_coding import LARGEST, decode
from .boxes import clipped, halves
from .picking import of_each
from .suppression import top_scores

SCALES = (1.0, 1.0)
"""The offsets of proposals are not divided, see :func:`.box_coding.encode`."""


@dataclass(frozen=True)
class Proposals:
    """The best boxes of each image after non-maximum suppression, over all maps.

    Attributes:
        before: boxes of an image before suppression.
        after: boxes of an image after it.
        threshold: a box is left out where its IoU with a better one is larger.
        smallest: least width and height of a box in pixels, where a box from pixel a to pixel b has b - a + 1. Boxes
            without area, of which nothing is inside the image, are left out, too.
    """

    before: int
    after: int
    threshold: float = 0.7
    smallest: float = 1.0

    def __call__(
        self, F: OpNamespace, logits: Tensor, offsets: Tensor, anchors: Tensor, image: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Compute the proposals, without gradients.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            logits: (N, A) float32, whether there is an object.
            offsets: (N, A, 4) float32.
            anchors: (A, 4) float32, centers, widths and heights.
            image: (N, C, H, W), the input.

        Returns:
            Boxes (N, after, 4) float32, xmin, ymin, xmax and ymax inside the image, by falling score; and (N, after),
            1 for a box and 0 for a row without one, which has corners of 0.
        """
        logits, offsets = F.BlockGrad(logits), F.BlockGrad(offsets)
        boxes = clipped(F, decode(F, offsets, anchors.expand_dims(0), SCALES, LARGEST), image)
        low, high = halves(F, boxes)
        side = F.min(high - low, axis=2)
        valid = (side + 1 >= self.smallest) * (side > 0)
        scores, places = top_scores(F, F.sigmoid(logits) * valid, self.before)
        # as many rows as there are anchors: the time of box_nms follows from the rows, whether they are valid or not
        few = F.slice(logits, begin=(None, 0), end=(None, self.before))
        scores, places = (F.slice_like(each, few, axes=(1,)) for each in (scores, places))
        rows = F.concat(scores.expand_dims(2), of_each(F, boxes, places * (scores > 0)), dim=2)
        kept = F.contrib.box_nms(
            rows, overlap_thresh=self.threshold, valid_thresh=0, topk=-1, score_index=0, coord_start=1,
            force_suppress=True,
        )  # fmt: skip
        padding = F.broadcast_axis(F.zeros_like(F.slice_axis(kept, axis=1, begin=0, end=1)), axis=1, size=self.after)
        kept = F.BlockGrad(F.slice_axis(F.concat(kept, padding, dim=1), axis=1, begin=0, end=self.after))
        exists = F.slice_axis(kept, axis=2, begin=0, end=1) > 0  # (N, after, 1)
        corners = F.broadcast_mul(F.slice_axis(kept, axis=2, begin=1, end=5), exists)
        return corners, exists.reshape((0, -1))

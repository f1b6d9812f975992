"""The cross-entropy of pixels."""

from __future__ import annotations

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.data.class_masks.values import IGNORED


class PixelLoss(mx.gluon.HybridBlock):
    """Softmax cross-entropy, summed over the pixels of each image that are not ignored.

    Inputs:
        Logits (N, classes, H, W), and masks (N, H, W) float32.

    Outputs:
        (N,) float32.
    """

    def hybrid_forward(self, F: OpNamespace, logits: Tensor, masks: Tensor) -> Tensor:
        """See :class:`PixelLoss`."""
        counted = masks != IGNORED
        log = F.log_softmax(F.cast(logits, dtype='float32'), axis=1)
        of_pixels = F.pick(log, masks * counted, axis=1)  # (N, H, W); ignored pixels read class 0
        return -F.sum(F.where(counted, of_pixels, F.zeros_like(of_pixels)), axis=(1, 2))

"""The scaling of the first map of an SSD on a VGG16 (ParseNet, Liu et al., arXiv 1506.04579, section 3.3)."""

from __future__ import annotations

from typing import Any

from mxnet import init

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.types import OpNamespace, Tensor


class ChannelNorm(CheckedBlock):
    """Divides the channels of each cell by their L2 norm, and multiplies each channel by a learned scale.

    Without BatchNorm the values of a shallow map are much larger than those of deeper ones; the SSD paper (section 3.1)
    starts with a scale of 20. As GluonCV's, it adds 1e-5 to the sum of the squares.

    Args:
        channels: C.
        scale: initial value of the scales.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).
    """

    def __init__(self, channels: int, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._in_channels = channels
        with self.name_scope():
            self.scale = self.params.get('scale', shape=(1, channels, 1, 1), init=init.Constant(scale))

    def hybrid_forward(self, F: OpNamespace, x: Tensor, scale: Tensor) -> Tensor:
        """See :class:`ChannelNorm`."""
        norm = F.sqrt(F.sum(F.square(x), axis=1, keepdims=True) + 1e-5)  # (N, 1, H, W)
        return F.broadcast_mul(F.broadcast_div(x, norm), scale)

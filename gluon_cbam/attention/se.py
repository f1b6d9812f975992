"""SE: squeeze and excitation (Hu, Shen, Sun, CVPR 2018, arXiv 1709.01507), as in the tables of the CBAM paper."""

from __future__ import annotations

from typing import Any

from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend

from .base import Attention
from .channel import ChannelAttention


class SqueezeExcitation(Attention):
    """Scales a feature map by the channel gate of its averages: ``F * sigmoid(MLP(AvgPool(F)))``.

    It is CBAM's channel gate with average pooling alone, biases included, and no spatial gate.

    Args:
        channels: C, the channels of the input.
        reduction: r, how much narrower the hidden layer is (C // r units).
        gate: ``sigmoid``; or ``identity``: twice the sigmoid, which starts at 1, see :class:`.cbam.CBAM`.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, channels: int, reduction: int = 16, gate: str = 'sigmoid', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._in_channels = channels
        with self.name_scope():
            self.gate = ChannelAttention(channels, reduction, pool_types=('avg',), gate=gate)

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Compute the equation, see :meth:`.base.Attention.forward_ops`."""
        return self.gate.scale(ops, x)

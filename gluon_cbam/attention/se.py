"""SE: squeeze and excitation (Hu, Shen, Sun, CVPR 2018, arXiv 1709.01507), as in the tables of the CBAM paper."""

from __future__ import annotations

from gluon_cbam.ops.backend import Gated

from .base import Attention
from .channel import ChannelAttention


class SqueezeExcitation(Attention):
    """Scales a feature map by the channel gate of its averages: ``F * sigmoid(MLP(AvgPool(F)))``.

    It is CBAM's channel gate with average pooling alone and nothing after it, biases included.

    Args:
        channels: C, the channels of the input.
        reduction: r, how much narrower the hidden layer is (C // r units).

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, channels: int, reduction: int = 16, **kwargs):
        super().__init__(**kwargs)
        self._in_channels = channels
        with self.name_scope():
            self.gate = ChannelAttention(channels, reduction, pool_types=('avg',))

    def define(self, F, x):
        """The equation."""
        return F.broadcast_mul(x, self.gate(x))

    def refine(self, F, passes, x, shortcut=None, relu=False):
        """The same in passes, see :class:`.applying.Attention`."""
        attention, x = self.gate.logits(F, passes, x)
        return passes.scale(Gated(x, F.sigmoid(attention)), None, shortcut, relu)

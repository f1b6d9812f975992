"""The neck and the heads of YOLOv3 (Redmon and Farhadi, arXiv 1804.02767), as in GluonCV."""

from __future__ import annotations

import math
from typing import Any, Callable, Optional, Tuple

import mxnet as mx
from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.tracing import FusedBlock

ANCHORS = 3
"""Of each cell."""
_SLOPE = 0.1  # of the leaky ReLU
_RARE = 0.01  # the first probability of an object
_SPREAD = 0.01  # standard deviation of the first weights of the heads, so that the bias rules


class Unit(FusedBlock):
    """conv - BN - leaky ReLU: (N, in_channels, H, W) to (N, channels, H, W).

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: size of the kernel, odd.
    """

    def __init__(self, in_channels: int, channels: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        weights = init.MSRAPrelu(factor_type='in', slope=_SLOPE)
        with self.name_scope():
            self.conv = Conv2D(
                channels, kernel, padding=kernel // 2, use_bias=False, in_channels=in_channels,
                weight_initializer=weights,
            )  # fmt: skip
            self.bn = nn.BatchNorm(in_channels=channels)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`Unit`."""
        return F.LeakyReLU(self.bn(self.conv(x)), act_type='leaky', slope=_SLOPE)


class DetectionBlock(FusedBlock):
    """The convolutions of a map before its head.

    Args:
        in_channels: channels of the input.
        channels: channels of the convolutions of 1 x 1; those of 3 x 3 have twice as many.

    Inputs:
        (N, in_channels, H, W).

    Outputs:
        (N, channels, H, W) for the next map, and (N, 2 channels, H, W) for the head.
    """

    def __init__(self, in_channels: int, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.body = nn.HybridSequential(prefix='')
            for before, width, kernel in (
                (in_channels, channels, 1), (channels, 2 * channels, 3),
                (2 * channels, channels, 1), (channels, 2 * channels, 3), (2 * channels, channels, 1),
            ):  # fmt: skip
                self.body.add(Unit(before, width, kernel))
            self.tip = Unit(channels, 2 * channels, 3)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor]:
        """See :class:`DetectionBlock`."""
        x = self.body(x)
        return x, self.tip(x)


class Objectness(init.Initializer):
    """The bias of a head, 0 but for the logit of an object.

    Args:
        outputs: outputs of an anchor.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__(outputs=outputs)
        self._outputs = outputs

    def _init_weight(self, name: str, bias: mx.nd.NDArray) -> None:
        bias[:] = 0
        bias[4 :: self._outputs] = math.log(_RARE / (1 - _RARE))


class AnchorHead(FusedBlock):
    """attention - conv 1 x 1: what a map says of its anchors.

    Args:
        channels: channels of the map.
        outputs: outputs of each anchor.
        attention: None, or a function from the number of channels to the attention module.

    Inputs:
        (N, channels, H, W).

    Outputs:
        (N, anchors outputs, H, W); of an anchor: tx, ty, tw, th, the logit of an object, and those of its classes.
    """

    def __init__(
        self, channels: int, outputs: int, attention: Optional[Callable[[int], HybridBlock]] = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.attention = attention(channels) if attention else None
            self.predictor = nn.Conv2D(
                ANCHORS * outputs, 1, in_channels=channels, weight_initializer=init.Normal(_SPREAD),
                bias_initializer=Objectness(outputs),
            )  # fmt: skip

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`AnchorHead`."""
        return self.predictor(x if self.attention is None else apply_attention(F, self.attention, x))

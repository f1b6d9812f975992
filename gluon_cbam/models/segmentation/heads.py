"""The heads of semantic segmentation: from a map of the backbone to the logits of its cells."""

from __future__ import annotations

from typing import Any, Callable, Optional

from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.tracing import FusedBlock

_DROPOUT = 0.1  # before the classifier, as in GluonCV


class ConvNorm(FusedBlock):
    """Convolution without bias that keeps the size - BN - ReLU.

    Args:
        channels: channels of the output.
        kernel: size of the kernel.
        in_channels: channels of the input.
        dilation: dilation of the kernel.
    """

    def __init__(self, channels: int, kernel: int, in_channels: int, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        weights = init.MSRAPrelu(factor_type='out', slope=0)
        with self.name_scope():
            self.conv = Conv2D(
                channels, kernel, 1, kernel // 2 * dilation, dilation, use_bias=False, in_channels=in_channels,
                weight_initializer=weights,
            )  # fmt: skip
            self.bn = nn.BatchNorm(in_channels=channels)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`ConvNorm`."""
        return F.Activation(self.bn(self.conv(x)), act_type='relu')


class PixelClassifier(FusedBlock):
    """conv 3 x 3 - BN - ReLU - attention, if any - dropout - conv 1 x 1: the logits of each cell of a map.

    Args:
        in_channels: channels of the map.
        channels: channels between the convolutions.
        classes: number of classes.
        attention: None, or a function from the number of channels to the attention module, which refines what the
            classifier reads.

    Inputs:
        (N, in_channels, H, W).

    Outputs:
        (N, classes, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        classes: int,
        attention: Optional[Callable[[int], HybridBlock]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.hidden = ConvNorm(channels, 3, in_channels)
            self.attention = attention(channels) if attention else None
            self.classifier = nn.Conv2D(classes, 1, in_channels=channels, weight_initializer=init.Normal(0.01))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`PixelClassifier`."""
        x = self.hidden(x)
        if self.attention is not None:
            x = apply_attention(F, self.attention, x)
        return self.classifier(F.Dropout(x, p=_DROPOUT))

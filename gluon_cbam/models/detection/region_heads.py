"""The heads of detectors with two stages: region proposals on each map, and a class and a box for each RoI."""

from __future__ import annotations

from typing import Any, Callable, Optional, Tuple

from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock

AttentionFactory = Optional[Callable[[int], HybridBlock]]
"""From the number of channels to an attention module; None for heads without."""


class RegionHead(FusedBlock):
    """The region proposal network: conv 3 x 3 - ReLU, then attention, if any, and two convolutions 1 x 1.

    Args:
        in_channels: channels of the maps.
        channels: channels of the first convolution.
        anchors: anchors of each cell.
        attention: makes the module before both convolutions.

    Inputs:
        (N, in_channels, H, W).

    Outputs:
        Logits (N, H W anchors), whether there is an object, and offsets (N, H W anchors 4); cells row by row, then the
        anchors of a cell.
    """

    def __init__(
        self, in_channels: int, channels: int, anchors: int, attention: AttentionFactory = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        weights = init.Normal(0.01)
        with self.name_scope():
            self.conv = nn.Conv2D(channels, 3, 1, 1, in_channels=in_channels, weight_initializer=weights)
            self.attention = attention(channels) if attention else None
            self.score_predictor = nn.Conv2D(anchors, 1, in_channels=channels, weight_initializer=weights)
            self.box_predictor = nn.Conv2D(4 * anchors, 1, in_channels=channels, weight_initializer=weights)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor]:
        """See :class:`RegionHead`."""
        x = F.Activation(self.conv(x), act_type='relu')
        if self.attention is not None:
            x = apply_attention(F, self.attention, x)
        maps = self.score_predictor(x), self.box_predictor(x)
        return tuple(F.flatten(F.transpose(each, axes=(0, 2, 3, 1))) for each in maps)


class DenseHead(FusedBlock):
    """Two dense layers with ReLU on pooled RoIs, after attention, if any.

    Args:
        channels: C.
        size: cells of a RoI along each side.
        width: outputs of each layer.
        attention: makes the module before the layers.

    Inputs:
        (R, C, size, size).

    Outputs:
        (R, width).
    """

    def __init__(self, channels: int, size: int, width: int, attention: AttentionFactory = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.attention = attention(channels) if attention else None
            weights = init.Xavier(rnd_type='gaussian', factor_type='in', magnitude=2)
            self.dense1 = nn.Dense(width, in_units=channels * size * size, weight_initializer=weights)
            self.dense2 = nn.Dense(width, in_units=width, weight_initializer=weights)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`DenseHead`."""
        if self.attention is not None:
            x = apply_attention(F, self.attention, x)
        for layer in (self.dense1, self.dense2):
            x = F.Activation(layer(x), act_type='relu')
        return x


class PooledHead(FusedBlock):
    """The mean of each channel, after attention, if any: (R, C, H, W) to (R, C).

    Args:
        channels: C.
        attention: makes the module.
    """

    def __init__(self, channels: int, attention: AttentionFactory = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.attention = attention(channels) if attention else None

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`PooledHead`."""
        if self.attention is not None:
            x = apply_attention(F, self.attention, x)
        return F.flatten(F.Pooling(x, global_pool=True, pool_type='avg'))


class RoiPredictor(FusedBlock):
    """The class of each RoI, and for each class its box.

    Args:
        width: D.
        classes: classes without the background.

    Inputs:
        (R, D).

    Outputs:
        Logits (R, 1 + classes), the background first, and offsets (R, classes 4).
    """

    def __init__(self, width: int, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.class_predictor = nn.Dense(1 + classes, in_units=width, weight_initializer=init.Normal(0.01))
            self.box_predictor = nn.Dense(4 * classes, in_units=width, weight_initializer=init.Normal(0.001))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor]:
        """See :class:`RoiPredictor`."""
        return self.class_predictor(x), self.box_predictor(x)

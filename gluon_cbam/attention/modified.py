"""The attention of Modified-CBAMnet (bruinxiong/Modified-CBAMnet.mxnet): CBAM with one MLP for each pooled vector."""

from __future__ import annotations

from typing import Any, Dict, Optional

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend
from gluon_cbam.ops.tracing import FusedBlock

from .base import Attention
from .blocks import hidden_channels

ORDER = ('mean', 'max')  # of the statistics at the spatial convolution
ACTIVATIONS = ('prelu', 'leaky', 'elu', 'gelu', 'selu')


class _MLP(FusedBlock):
    """C -> hidden -> C as 1 x 1 convolutions without bias: (N, C, 1, 1) to (N, C, 1, 1)."""

    def __init__(
        self,
        channels: int,
        hidden: int,
        activation: str,
        weight_initializer: Optional[init.Initializer],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        conv: Dict[str, Any] = dict(use_bias=False, weight_initializer=weight_initializer)
        self._activation = activation
        with self.name_scope():
            self.fc1 = nn.Conv2D(hidden, 1, in_channels=channels, **conv)
            self.act = PReLU(in_channels=hidden) if activation == 'prelu' else None
            self.fc2 = nn.Conv2D(channels, 1, in_channels=hidden, **conv)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = self.fc1(x)  # (N, hidden, 1, 1)
        x = self.act(x) if self.act is not None else F.LeakyReLU(x, act_type=self._activation)
        return self.fc2(x)


class ModifiedCBAM(Attention):
    """Scales a feature map by its channel gate, then the result by its spatial gate.

    Differences from :class:`.cbam.CBAM`: the average and the maximum have an MLP each, without biases, whose
    activation can be chosen; the spatial gate is a 3 x 3 convolution of [mean, max] with neither bias nor BatchNorm.

    Args:
        channels: C, the channels of the input.
        reduction: how much narrower the hidden layers are (C // reduction).
        activation: the activation of the hidden layers: ``prelu``, ``leaky``, ``elu`` (both with MXNet's slope of
            0.25), ``gelu`` or ``selu``.
        weight_initializer: the initializer of every weight; default: the one that ``initialize`` is called with.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        activation: str = 'prelu',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f'unknown activation {activation!r}: {closest(activation, ACTIVATIONS)}')
        hidden = hidden_channels(channels, reduction)
        self._in_channels = channels
        with self.name_scope():
            self.avg = _MLP(channels, hidden, activation, weight_initializer)
            self.max = _MLP(channels, hidden, activation, weight_initializer)
            self.spatial = nn.Conv2D(
                1, 3, padding=1, in_channels=2, use_bias=False, weight_initializer=weight_initializer
            )

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Compute the equations, see :meth:`.base.Attention.forward_ops`."""
        F = ops.F
        mean, maximum = ops.global_pool(x, ('avg', 'max'))
        logits = self.avg(ops.as_map(mean)) + self.max(ops.as_map(maximum))  # (N, C, 1, 1)
        x = ops.scale(x, channel=ops.as_vector(F.sigmoid(logits)))
        maps = ops.channel_pool(x, ORDER)  # (N, 2, H, W)
        return ops.scale(x, spatial=ops.spatial_gate(maps, self.spatial, None, 'sigmoid'))

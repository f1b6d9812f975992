"""The attention of Modified-CBAMnet (bruinxiong/Modified-CBAMnet.mxnet): CBAM with one MLP for each pooled vector."""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn

from gluon_cbam.common.errors import closest
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.backend import Gated

from .base import Attention
from .blocks import hidden_channels
from .spatial import DESCRIPTORS

ORDER = ('mean', 'max')  # of the descriptors at the spatial convolution
ACTIVATIONS = ('prelu', 'leaky', 'elu', 'gelu', 'selu')


class _MLP(HybridBlock):
    """C -> hidden -> C as 1 x 1 convolutions without bias: (N, C, 1, 1) to (N, C, 1, 1)."""

    def __init__(self, channels, hidden, activation, weight_initializer, **kwargs):
        super().__init__(**kwargs)
        conv = dict(use_bias=False, weight_initializer=weight_initializer)
        self._activation = activation
        with self.name_scope():
            self.fc1 = nn.Conv2D(hidden, 1, in_channels=channels, **conv)
            self.act = PReLU(in_channels=hidden) if activation == 'prelu' else None
            self.fc2 = nn.Conv2D(channels, 1, in_channels=hidden, **conv)

    def hybrid_forward(self, F, x):
        x = self.fc1(x)  # (N, hidden, 1, 1)
        x = self.act(x) if self.act is not None else F.LeakyReLU(x, act_type=self._activation)
        return self.fc2(x)


class ModifiedCBAM(Attention):
    """Scales a feature map by its channel gate, then the result by its spatial gate.

    What differs from :class:`.cbam.CBAM`: the average and the maximum have an MLP each, without biases, whose
    activation can be chosen; the spatial gate is a 3 x 3 convolution of [mean, max] with neither bias nor BatchNorm.

    Args:
        channels: C, the channels of the input.
        reduction: how much narrower the hidden layers are (C // reduction).
        activation: of the hidden layers: ``prelu``, ``leaky``, ``elu`` (both with MXNet's slope of 0.25), ``gelu`` or
            ``selu``.
        weight_initializer: of every weight; default: what ``initialize`` is called with.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self, channels: int, reduction: int = 16, activation: str = 'prelu', weight_initializer=None, **kwargs
    ):
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

    def define(self, F, x):
        """The equations."""
        pooled = (self.avg, 'avg'), (self.max, 'max')
        first, second = (mlp(F.Pooling(x, global_pool=True, pool_type=pool)) for mlp, pool in pooled)
        x = F.broadcast_mul(x, F.sigmoid(first + second))  # (N, C, H, W)
        maps = F.concat(*[DESCRIPTORS[name](F, x) for name in ORDER], dim=1)  # (N, 2, H, W)
        return F.broadcast_mul(x, F.sigmoid(self.spatial(maps)))

    def refine(self, F, passes, x, shortcut=None, relu=False):
        """The same in passes, see :class:`.applying.Attention`."""
        mean, maximum, x = passes.pool(x)
        first, second = (
            mlp(pooled.expand_dims(2).expand_dims(3)) for mlp, pooled in ((self.avg, mean), (self.max, maximum))
        )
        maps, gated = passes.describe(Gated(x, F.flatten(F.sigmoid(first + second))), ORDER)
        return passes.scale(gated, F.sigmoid(self.spatial(maps)), shortcut, relu)

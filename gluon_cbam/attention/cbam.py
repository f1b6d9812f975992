"""CBAM: Convolutional Block Attention Module (Woo, Park, Lee, Kweon, ECCV 2018, arXiv 1807.06521v2)."""

from __future__ import annotations

from typing import Optional, Sequence

from mxnet import init

from gluon_cbam.common.errors import closest
from gluon_cbam.ops.backend import Gated, finish

from .base import Attention
from .channel import ChannelAttention
from .gates import apply_gate
from .spatial import SpatialAttention

ORDERS = ('channel_spatial', 'spatial_channel', 'parallel')


class CBAM(Attention):
    """Scales a feature map by its channel gate, then the result by its spatial gate (equation 1):
    ``F1 = Mc(F) * F; F2 = Ms(F1) * F1``.

    The defaults are the official code's (MODELS/cbam.py), which the published weights use.

    Args:
        channels: C, the channels of the input.
        reduction: r of the channel gate's MLP.
        kernel_size: k of the spatial gate's convolution, odd.
        pool_types: of the channel gate: any of ``avg``, ``max``, ``lp``, ``lse``.
        spatial: False leaves the spatial gate out.
        spatial_pool: ``max_mean`` or ``conv1x1``.
        order: ``channel_spatial``, ``spatial_channel``, or ``parallel`` (both maps of F are added before one sigmoid).
        descriptors: order of ``max`` and ``mean`` at the spatial convolution.
        mlp_bias: whether the channel MLP has biases.
        spatial_norm: BatchNorm in the spatial gate; without it its convolution has a bias.
        gate: ``sigmoid``, the paper's; or ``identity``: both gates are twice the sigmoid and start at 1, so that a
            module put into a trained network leaves its outputs as they are until it has learned.
        weight_initializer: of every weight; default: each gate's own.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> attention = gluon_cbam.CBAM(64)
        >>> attention.initialize()
        >>> attention(mx.nd.ones((2, 64, 14, 14))).shape
        (2, 64, 14, 14)
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        kernel_size: int = 7,
        pool_types: Sequence[str] = ('avg', 'max'),
        spatial: bool = True,
        spatial_pool: str = 'max_mean',
        order: str = 'channel_spatial',
        descriptors: Sequence[str] = ('max', 'mean'),
        mlp_bias: bool = True,
        spatial_norm: bool = True,
        gate: str = 'sigmoid',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if order not in ORDERS:
            raise ValueError(f'unknown order {order!r}: {closest(order, ORDERS)}')
        if not isinstance(spatial, bool):
            raise ValueError(f'spatial must be True or False, got {spatial!r}')
        if not spatial and order != 'channel_spatial':
            raise ValueError(f'order {order!r} needs the spatial gate, got spatial=False')
        self._in_channels = channels
        self.order = order
        self._gate = gate
        shared = dict(gate=gate, weight_initializer=weight_initializer)
        with self.name_scope():
            self.channel = ChannelAttention(channels, reduction, pool_types, use_bias=mlp_bias, **shared)
            self.spatial = None
            if spatial:
                self.spatial = SpatialAttention(
                    kernel_size, descriptors, spatial_pool, channels, use_norm=spatial_norm, **shared
                )

    def define(self, F, x):
        """The equations."""
        if self.order == 'parallel':
            maps = F.broadcast_add(self.channel.map(F, x), self.spatial.map(F, x))  # (N, C, H, W)
            return x * apply_gate(F, maps, self._gate)
        gates = [self.channel, self.spatial] if self.spatial is not None else [self.channel]
        if self.order == 'spatial_channel':
            gates.reverse()
        for gate in gates:
            x = F.broadcast_mul(x, gate(x))
        return x

    def refine(self, F, passes, x, shortcut=None, relu=False):
        """The same in passes, see :class:`.applying.Attention`."""
        if self.order == 'parallel':
            channel, x = self.channel.logits(F, passes, x)
            spatial, gated = self.spatial.logits(passes, Gated(x))
            maps = F.broadcast_add(channel.expand_dims(2).expand_dims(3), spatial)  # (N, C, H, W)
            return finish(F, gated.x * apply_gate(F, maps, self._gate), shortcut, relu)
        if self.order == 'spatial_channel':
            spatial, gated = self.spatial.gate_where_it_runs(F, passes, Gated(x))
            x = passes.scale(gated, spatial)
        channel, x = self.channel.gate_where_it_runs(F, passes, x)
        gated = Gated(x, channel)
        if self.order == 'spatial_channel' or self.spatial is None:
            return passes.scale(gated, None, shortcut, relu)
        spatial, gated = self.spatial.gate_where_it_runs(F, passes, gated)
        return passes.scale(gated, spatial, shortcut, relu)

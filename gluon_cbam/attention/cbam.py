"""CBAM: Convolutional Block Attention Module (Woo, Park, Lee, Kweon, ECCV 2018, arXiv 1807.06521v2)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from mxnet import init

from gluon_cbam.common.errors import closest
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend
from gluon_cbam.ops.gates import apply_gate

from .base import Attention, Gate
from .blocks import boolean
from .channel import ChannelAttention
from .spatial import SpatialAttention

ORDERS = ('channel_spatial', 'spatial_channel', 'parallel')


class CBAM(Attention):
    """Scales a feature map by its channel gate, then the result by its spatial gate.

    Equation 1 of the paper: ``F1 = Mc(F) * F; F2 = Ms(F1) * F1``.

    The defaults are the official code's (MODELS/cbam.py), which the published weights use.

    Args:
        channels: C, the channels of the input.
        reduction: r of the channel gate's MLP.
        kernel_size: k of the spatial gate's convolution, odd.
        pool_types: the poolings of the channel gate: any of ``avg``, ``max``, ``lp``, ``lse``.
        spatial: False leaves the spatial gate out.
        spatial_pool: ``max_mean`` or ``conv1x1``.
        order: ``channel_spatial``, ``spatial_channel``, or ``parallel`` (both maps of F are added before one sigmoid).
        descriptors: order of the statistics ``max`` and ``mean`` at the spatial convolution.
        mlp_bias: whether the channel MLP has biases.
        spatial_norm: BatchNorm in the spatial gate; without it its convolution has a bias.
        gate: ``sigmoid``, the paper's; or ``identity``: both gates are twice the sigmoid and start at 1, so that a
            module put into a trained network leaves its outputs as they are until it has learned.
        weight_initializer: the initializer of every weight; default: each gate's own.
        channel: False leaves the channel gate out.

    Attributes:
        order: the order, as given to the constructor.
        channel: the channel gate, or None.
        spatial: the spatial gate, or None.

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
        channel: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if order not in ORDERS:
            raise ValueError(f'unknown order {order!r}: {closest(order, ORDERS)}')
        bias, norm = boolean('mlp_bias', mlp_bias), boolean('spatial_norm', spatial_norm)
        wanted = [name for name, value in (('channel', channel), ('spatial', spatial)) if boolean(name, value)]
        if not wanted:
            raise ValueError('channel and spatial are both False, so that no gate is left: set one of them to True')
        if len(wanted) == 1 and order != 'channel_spatial':
            raise ValueError(f'order {order!r} needs both gates, got only the {wanted[0]} gate')
        self._in_channels = channels
        self.order = order
        self._gate = gate
        shared: Dict[str, Any] = dict(gate=gate, weight_initializer=weight_initializer)
        with self.name_scope():
            self.channel: Optional[ChannelAttention] = None
            self.spatial: Optional[SpatialAttention] = None
            if channel:
                self.channel = ChannelAttention(channels, reduction, pool_types, use_bias=bias, **shared)
            if spatial:
                self.spatial = SpatialAttention(
                    kernel_size, descriptors, spatial_pool, channels, use_norm=norm, **shared
                )

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Compute the equations, see :meth:`.base.Attention.forward_ops`."""
        if self.order == 'parallel':
            return self._parallel(ops, x)
        gates: List[Gate] = [gate for gate in (self.channel, self.spatial) if gate is not None]
        for gate in gates if self.order == 'channel_spatial' else reversed(gates):
            x = gate.scale(ops, x)
        return x

    def _parallel(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """``F * sigmoid(channel logits + spatial logits)``."""
        assert self.channel is not None and self.spatial is not None  # the constructor checks it
        channel, spatial = ops.as_map(self.channel.logits(ops, x)), self.spatial.logits(ops, x)
        logits = ops.F.broadcast_add(channel, spatial)  # (N, C, H, W)
        return FeatureMap(ops.materialize(x) * apply_gate(ops.F, logits, self._gate))

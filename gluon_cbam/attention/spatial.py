"""Spatial attention (CBAM paper, section 3, equation 3)."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import Tensor
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend
from gluon_cbam.ops.gates import checked_gate
from gluon_cbam.ops.pooling import CHANNEL_POOLS

from .base import Gate
from .blocks import positive_int

SPATIAL_POOLS = ('max_mean', 'conv1x1')


class SpatialAttention(Gate):
    """The spatial gate ``Ms(F) = sigmoid(norm(conv k x k (channel pooling)))``.

    The defaults are those of the official code (MODELS/cbam.py, SpatialGate): [max, mean], a convolution without bias,
    BatchNorm of one channel whose gamma starts at 0, so that every gate starts at 0.5. The Keras CBAMNet has [mean,
    max], a bias and no BatchNorm. The paper's equation 3 writes [avg; max]; its figure 2 and the official code put max
    first.

    Args:
        kernel_size: k, odd.
        descriptors: order of the statistics ``max`` and ``mean`` at the convolution's input; ignored by ``conv1x1``.
        pool: ``max_mean`` for these statistics, or ``conv1x1`` for a learned 1 x 1 convolution to one channel (the
            ablation of the paper's table 2).
        channels: channels of the input; needed by ``conv1x1``, otherwise only checked.
        use_norm: BatchNorm after the convolution; without it the convolution has a bias.
        gate: ``sigmoid``; or ``identity`` for twice the sigmoid, starting at 1.
        weight_initializer: the initializer of the convolutions; default Kaiming normal, fan out.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, 1, H, W), in (0, 1); in (0, 2) for ``identity``.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    kind = 'spatial'

    def __init__(
        self,
        kernel_size: int = 7,
        descriptors: Sequence[str] = ('max', 'mean'),
        pool: str = 'max_mean',
        channels: Optional[int] = None,
        use_norm: bool = True,
        gate: str = 'sigmoid',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if positive_int('kernel_size', kernel_size) % 2 == 0:
            raise ValueError(f'kernel_size must be odd to keep the size of the map, got {kernel_size}')
        if pool not in SPATIAL_POOLS:
            raise ValueError(f'unknown spatial_pool {pool!r}: {closest(pool, SPATIAL_POOLS)}')
        if sorted(descriptors) != sorted(CHANNEL_POOLS):
            raise ValueError(f"descriptors must be 'max' and 'mean' in either order, got {descriptors!r}")
        if pool == 'conv1x1' and channels is None:
            raise ValueError("pool='conv1x1' needs channels, got None")
        self._in_channels = channels
        self._descriptors = tuple(descriptors)
        self._gate = checked_gate(gate)
        initializer = weight_initializer or init.MSRAPrelu(factor_type='out', slope=0)
        with self.name_scope():
            self.pool = None
            if pool == 'conv1x1':
                self.pool = nn.Conv2D(1, 1, in_channels=channels, use_bias=False, weight_initializer=initializer)
            self.conv = nn.Conv2D(
                1,
                kernel_size,
                padding=kernel_size // 2,
                in_channels=1 if self.pool else len(descriptors),
                use_bias=not use_norm,
                weight_initializer='zeros' if gate == 'identity' and not use_norm else initializer,
            )
            self.bn = nn.BatchNorm(in_channels=1, momentum=0.99, gamma_initializer='zeros') if use_norm else None

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate, see :meth:`.base.Gate.forward_ops`."""
        return ops.spatial_gate(self._statistics(ops, x), self.conv, self.bn, self._gate)

    def logits(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate before its sigmoid, (N, 1, H, W)."""
        return ops.spatial_logits(self._statistics(ops, x), self.conv, self.bn)

    def _statistics(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """The convolution's input, (N, 2, H, W), or (N, 1, H, W) with ``conv1x1``."""
        if self.pool is not None:
            return self.pool(ops.materialize(x))
        return ops.channel_pool(x, self._descriptors)

"""Spatial attention: which positions matter (CBAM paper, section 3, equation 3)."""

from __future__ import annotations

from typing import Optional, Sequence

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.errors import closest

from .blocks import CheckedBlock, positive_int
from .gates import apply_gate, checked_gate

DESCRIPTORS = {
    'max': lambda F, x: F.max(x, axis=1, keepdims=True),
    'mean': lambda F, x: F.mean(x, axis=1, keepdims=True),
}
"""Descriptor -> function of (F, x) from (N, C, H, W) to (N, 1, H, W)."""

SPATIAL_POOLS = ('max_mean', 'conv1x1')


class SpatialAttention(CheckedBlock):
    """The spatial gate ``Ms(F) = sigmoid(norm(conv k x k (descriptors over channels)))``.

    The official code (MODELS/cbam.py, SpatialGate) by default: [max, mean], a convolution without bias, BatchNorm of
    one channel whose gamma starts at 0, so that every gate starts at 0.5. The Keras CBAMNet has [mean, max], a bias and
    no BatchNorm. The paper's equation 3 writes [avg; max]; its figure 2 and the official code put max first.

    Args:
        kernel_size: k, odd.
        descriptors: order of ``max`` and ``mean`` at the convolution's input; ignored by ``conv1x1``.
        pool: ``max_mean`` for the descriptors, or ``conv1x1`` for a learned 1 x 1 convolution to one channel (the
            ablation of the paper's table 2).
        channels: channels of the input; needed by ``conv1x1``, otherwise only checked.
        use_norm: BatchNorm after the convolution; without it the convolution has a bias.
        gate: ``sigmoid``; or ``identity`` for twice that, starting at 1.
        weight_initializer: of the convolutions; default Kaiming normal, fan out.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, 1, H, W), in (0, 1); in (0, 2) for ``identity``.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        kernel_size: int = 7,
        descriptors: Sequence[str] = ('max', 'mean'),
        pool: str = 'max_mean',
        channels: Optional[int] = None,
        use_norm: bool = True,
        gate: str = 'sigmoid',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if positive_int('kernel_size', kernel_size) % 2 == 0:
            raise ValueError(f'kernel_size must be odd to keep the size of the map, got {kernel_size}')
        if pool not in SPATIAL_POOLS:
            raise ValueError(f'unknown spatial_pool {pool!r}: {closest(pool, SPATIAL_POOLS)}')
        if sorted(descriptors) != sorted(DESCRIPTORS):
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

    def hybrid_forward(self, F, x):
        return apply_gate(F, self.map(F, x), self._gate)

    def map(self, F, x):
        """The gate before its sigmoid, (N, 1, H, W)."""
        if self.pool is not None:
            maps = self.pool(x)  # (N, 1, H, W)
        else:
            maps = F.concat(*[DESCRIPTORS[name](F, x) for name in self._descriptors], dim=1)  # (N, 2, H, W)
        return self._from_maps(maps)

    def _from_maps(self, maps):
        attention = self.conv(maps)  # (N, 1, H, W)
        return attention if self.bn is None else self.bn(attention)

    def logits(self, passes, gated):
        """The map where it runs, of a :class:`.kernels.forms.Gated` map: (N, 1, H, W), and that map."""
        if self.pool is not None:
            x = gated.x if gated.channel is None else passes.scale(gated)
            return self._from_maps(self.pool(x)), type(gated)(x)
        maps, gated = passes.describe(gated, self._descriptors)
        return self._from_maps(maps), gated

    def gate_where_it_runs(self, F, passes, gated):
        """The gate, (N, 1, H, W), and the map, as of :meth:`logits`."""
        is_usual = self.pool is None and self.bn is not None and self._gate == 'sigmoid'
        if passes.has_gates and is_usual and self.bn._kwargs['eps'] == 1e-5:
            maps, gated = passes.describe(gated, self._descriptors)
            return passes.spatial_gate(maps, self.conv, self.bn), gated
        attention, gated = self.logits(passes, gated)
        return apply_gate(F, attention, self._gate), gated

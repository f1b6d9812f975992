"""BAM: Bottleneck Attention Module (Park, Woo, Lee, Kweon, BMVC 2018, arXiv 1807.06514).

Follows the official code (MODELS/bam.py), which multiplies the two branches where the paper adds them. The two
branches look at the same map, and the result is added to the map: ``F + F * sigmoid(channel(F) * spatial(F))``.
Initialization follows the official network: convolutions Kaiming normal, fan out; dense weights uniform in
+-1 / sqrt(fan in); biases 0.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.gates import apply_gate, checked_gate
from gluon_cbam.ops.tracing import FusedBlock

from .blocks import CheckedBlock, hidden_channels, positive_int


class _ChannelBranch(FusedBlock):
    """average pool - FC - BN - ReLU - FC: (N, channels, H, W) to (N, channels, 1, 1)."""

    def __init__(self, channels: int, hidden: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            for name, units, inputs in (('fc1', hidden, channels), ('fc2', channels, hidden)):
                uniform = init.Xavier(rnd_type='uniform', factor_type='in', magnitude=1)
                setattr(self, name, nn.Dense(units, in_units=inputs, weight_initializer=uniform))
            self.bn = nn.BatchNorm(in_channels=hidden)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = self.fc1(F.Pooling(x, global_pool=True, pool_type='avg'))  # (N, hidden)
        x = F.Activation(self.bn(x), act_type='relu')
        return self.fc2(x).expand_dims(2).expand_dims(3)


class _SpatialBranch(FusedBlock):
    """conv 1 x 1, two dilated conv 3 x 3, each BN - ReLU, conv 1 x 1: (N, channels, H, W) to (N, 1, H, W)."""

    def __init__(
        self, channels: int, hidden: int, dilation: int, last_initializer: Optional[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        wide: Dict[str, int] = dict(kernel_size=3, padding=dilation, dilation=dilation)
        convolutions: Tuple[Tuple[int, Dict[str, int]], ...] = (
            (channels, dict(kernel_size=1)),
            (hidden, wide),
            (hidden, wide),
        )
        kaiming = init.MSRAPrelu(factor_type='out', slope=0)
        with self.name_scope():
            for number, (inputs, shape) in enumerate(convolutions, 1):
                conv = nn.Conv2D(hidden, in_channels=inputs, weight_initializer=kaiming, **shape)
                setattr(self, f'conv{number}', conv)
                setattr(self, f'bn{number}', nn.BatchNorm(in_channels=hidden))
            self.conv4 = nn.Conv2D(1, 1, in_channels=hidden, weight_initializer=last_initializer or kaiming)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = F.Activation(self.bn1(self.conv1(x)), act_type='relu')  # (N, hidden, H, W)
        x = F.Activation(self.bn2(self.conv2(x)), act_type='relu')
        x = F.Activation(self.bn3(self.conv3(x)), act_type='relu')
        return self.conv4(x)


class BAM(CheckedBlock):
    """Scales a feature map by one plus a gate: ``F * (1 + sigmoid(channel(F) * spatial(F)))``.

    Args:
        channels: C, the channels of the input.
        reduction: r, how much narrower both branches are inside (C // r).
        dilation: the dilation of the two 3 x 3 convolutions of the spatial branch.
        gate: ``sigmoid``; or ``identity``: the map is scaled by twice the sigmoid, which starts at 1 since the last
            convolution of the spatial branch is initialized with 0, see :class:`.cbam.CBAM`.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, H, W).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self, channels: int, reduction: int = 16, dilation: int = 4, gate: str = 'sigmoid', **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        hidden = hidden_channels(channels, reduction)
        self._in_channels = channels
        self._gate = checked_gate(gate)
        last_initializer = 'zeros' if gate == 'identity' else None
        with self.name_scope():
            self.channel = _ChannelBranch(channels, hidden)
            self.spatial = _SpatialBranch(channels, hidden, positive_int('dilation', dilation), last_initializer)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the equation of the class."""
        logits = F.broadcast_mul(self.channel(x), self.spatial(x))  # (N, C, H, W)
        gate = apply_gate(F, logits, self._gate)
        return x * gate if self._gate == 'identity' else x * (1 + gate)

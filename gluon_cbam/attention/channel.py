"""Channel attention (CBAM paper, section 3, equation 2)."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple, Union

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import Tensor
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend
from gluon_cbam.ops.gates import checked_gate
from gluon_cbam.ops.pooling import GLOBAL_POOLS

from .base import Gate
from .blocks import hidden_channels


class ChannelAttention(Gate):
    """The channel gate ``Mc(F) = sigmoid(sum over pool types of MLP(pool(F)))`` with one shared MLP, C -> C / r -> C.

    The defaults are those of the official code (MODELS/cbam.py, ChannelGate); the Keras CBAMNet has ``use_bias=False``.
    Initialization follows the official network: weights uniform in +-1 / sqrt(fan in), biases 0.

    Args:
        channels: C, the channels of the input.
        reduction: r, how much narrower the hidden layer is (C // r units).
        pool_types: any of ``avg``, ``max``, ``lp`` (L2 norm over H, W) and ``lse`` (log-sum-exp over H, W); summed.
        use_bias: whether the MLP has biases.
        gate: ``sigmoid``; or ``identity`` for twice the sigmoid, with a last layer that is initialized with 0, so that
            the gate starts at 1.
        weight_initializer: the initializer of both dense layers.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, 1, 1), in (0, 1); in (0, 2) for ``identity``.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    kind = 'channel'

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        pool_types: Sequence[str] = ('avg', 'max'),
        use_bias: bool = True,
        gate: str = 'sigmoid',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        hidden = hidden_channels(channels, reduction)
        self._in_channels = channels
        self._pool_types = _checked_pool_types(pool_types)
        self._gate = checked_gate(gate)
        if weight_initializer is None:
            weight_initializer = init.Xavier(rnd_type='uniform', factor_type='in', magnitude=1)
        last_initializer = 'zeros' if gate == 'identity' else weight_initializer
        with self.name_scope():
            self.fc1 = nn.Dense(hidden, 'relu', use_bias, in_units=channels, weight_initializer=weight_initializer)
            self.fc2 = nn.Dense(channels, use_bias=use_bias, in_units=hidden, weight_initializer=last_initializer)

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate, see :meth:`.base.Gate.forward_ops`."""
        return ops.channel_gate(ops.global_pool(x, self._pool_types), self.fc1, self.fc2, self._gate)

    def logits(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate before its sigmoid, a channel vector."""
        return ops.shared_mlp(ops.global_pool(x, self._pool_types), self.fc1, self.fc2)


def _checked_pool_types(pool_types: Union[str, Sequence[str]]) -> Tuple[str, ...]:
    names = (pool_types,) if isinstance(pool_types, str) else tuple(pool_types)
    if not names:
        raise ValueError(f'pool_types must name at least one of {", ".join(GLOBAL_POOLS)}, got {pool_types!r}')
    for name in names:
        if name not in GLOBAL_POOLS:
            raise ValueError(f'unknown pool type {name!r}: {closest(name, GLOBAL_POOLS)}')
    return names

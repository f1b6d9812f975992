"""Channel attention: which channels matter (CBAM paper, section 3, equation 2)."""

from __future__ import annotations

from typing import Optional, Sequence

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.errors import closest

from .blocks import CheckedBlock, hidden_channels
from .gates import apply_gate, checked_gate

_TINY = 1e-12  # keeps the gradient of the L2 norm finite on a map of zeros


def _avg(F, x):
    return F.Pooling(x, global_pool=True, pool_type='avg')


def _max(F, x):
    return F.Pooling(x, global_pool=True, pool_type='max')


def _lp(F, x):
    return F.sqrt(F.sum(F.square(x), axis=(2, 3), keepdims=True) + _TINY)


def _lse(F, x):
    peak = F.BlockGrad(_max(F, x))  # exp() stays below 1; the shift cancels, in the gradient too
    return peak + F.log(F.sum(F.exp(F.broadcast_sub(x, peak)), axis=(2, 3), keepdims=True))


POOLS = {'avg': _avg, 'max': _max, 'lp': _lp, 'lse': _lse}
"""Pool type -> function of (F, x) from (N, C, H, W) to (N, C, 1, 1)."""


class ChannelAttention(CheckedBlock):
    """The channel gate ``Mc(F) = sigmoid(sum over pool types of MLP(pool(F)))`` with one shared MLP, C -> C / r -> C.

    The official code (MODELS/cbam.py, ChannelGate) by default; ``use_bias=False`` is the Keras CBAMNet's.
    Initialisation follows the official network: weights uniform in +-1 / sqrt(fan in), biases 0.

    Args:
        channels: C, the channels of the input.
        reduction: r, how much narrower the hidden layer is (C // r units).
        pool_types: any of ``avg``, ``max``, ``lp`` (L2 norm over H, W) and ``lse`` (log-sum-exp over H, W); summed.
        use_bias: whether the MLP has biases.
        gate: ``sigmoid``; or ``identity`` for twice that, with a last layer that starts at 0, so that the gate starts
            at 1.
        weight_initializer: of both dense layers.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, C, 1, 1), in (0, 1); in (0, 2) for ``identity``.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        pool_types: Sequence[str] = ('avg', 'max'),
        use_bias: bool = True,
        gate: str = 'sigmoid',
        weight_initializer: Optional[init.Initializer] = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden = hidden_channels(channels, reduction)
        self._in_channels = channels
        self._pool_types = tuple(_checked_pool_types(pool_types))
        self._gate = checked_gate(gate)
        if weight_initializer is None:
            weight_initializer = init.Xavier(rnd_type='uniform', factor_type='in', magnitude=1)
        last_initializer = 'zeros' if gate == 'identity' else weight_initializer
        with self.name_scope():
            self.fc1 = nn.Dense(hidden, 'relu', use_bias, in_units=channels, weight_initializer=weight_initializer)
            self.fc2 = nn.Dense(channels, use_bias=use_bias, in_units=hidden, weight_initializer=last_initializer)

    def hybrid_forward(self, F, x):
        return apply_gate(F, self.map(F, x), self._gate)

    def map(self, F, x):
        """The gate before its sigmoid, (N, C, 1, 1)."""
        attention = sum(self.fc2(self.fc1(POOLS[name](F, x))) for name in self._pool_types)  # (N, C)
        return attention.expand_dims(2).expand_dims(3)

    def logits(self, F, passes, x):
        """The map where it runs: (N, C), and the map of :meth:`.kernels.forms.Compiled.pool`."""
        if set(self._pool_types) <= {'avg', 'max'}:
            mean, maximum, x = passes.pool(x)
            vectors = {'avg': mean, 'max': maximum}
            pooled = [vectors[name] for name in self._pool_types]
        else:
            pooled = [F.flatten(POOLS[name](F, x)) for name in self._pool_types]
        if len(pooled) == 1:
            return self.fc2(self.fc1(pooled[0])), x
        attention = self.fc2(self.fc1(F.concat(*pooled, dim=0)))  # (pools * N, C), one pass of the MLP for all
        return F.add_n(*F.split(attention, num_outputs=len(pooled), axis=0)), x

    def gate_where_it_runs(self, F, passes, x):
        """The gate, (N, C), and the map, as of :meth:`logits`."""
        is_usual = sorted(self._pool_types) == ['avg', 'max'] and self._gate == 'sigmoid' and self.fc1.bias is not None
        if passes.has_gates and is_usual:
            mean, maximum, x = passes.pool(x)
            return passes.gate(mean, maximum, self.fc1, self.fc2), x
        attention, x = self.logits(F, passes, x)
        return apply_gate(F, attention, self._gate), x


def _checked_pool_types(pool_types):
    if isinstance(pool_types, str):
        pool_types = (pool_types,)
    if not pool_types:
        raise ValueError(f'pool_types must name at least one of {", ".join(POOLS)}, got {pool_types!r}')
    for name in pool_types:
        if name not in POOLS:
            raise ValueError(f'unknown pool type {name!r}: {closest(name, POOLS)}')
    return pool_types

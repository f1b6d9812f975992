"""The poolings of attention in MXNet's operators, by name."""

from __future__ import annotations

from typing import Callable, Dict

from gluon_cbam.common.types import OpNamespace, Tensor

Pooling = Callable[[OpNamespace, Tensor], Tensor]

_TINY = 1e-12  # keeps the gradient of the L2 norm finite for a map of zeros


def _avg(F: OpNamespace, x: Tensor) -> Tensor:
    return F.Pooling(x, global_pool=True, pool_type='avg')


def _max(F: OpNamespace, x: Tensor) -> Tensor:
    return F.Pooling(x, global_pool=True, pool_type='max')


def _lp(F: OpNamespace, x: Tensor) -> Tensor:
    return F.sqrt(F.sum(F.square(x), axis=(2, 3), keepdims=True) + _TINY)


def _lse(F: OpNamespace, x: Tensor) -> Tensor:
    peak = F.BlockGrad(_max(F, x))  # exp() stays below 1; the shift cancels, in the gradient too
    return peak + F.log(F.sum(F.exp(F.broadcast_sub(x, peak)), axis=(2, 3), keepdims=True))


def _channel_max(F: OpNamespace, x: Tensor) -> Tensor:
    return F.max(x, axis=1, keepdims=True)


def _channel_mean(F: OpNamespace, x: Tensor) -> Tensor:
    return F.mean(x, axis=1, keepdims=True)


GLOBAL_POOLS: Dict[str, Pooling] = {'avg': _avg, 'max': _max, 'lp': _lp, 'lse': _lse}
"""Global pooling over the positions -> function of (F, x) from (N, C, H, W) to (N, C, 1, 1): the mean, the maximum, the
L2 norm and log-sum-exp."""

CHANNEL_POOLS: Dict[str, Pooling] = {'max': _channel_max, 'mean': _channel_mean}
"""Statistic over the channels -> function of (F, x) from (N, C, H, W) to (N, 1, H, W)."""

"""Freezing: parameters that training does not change."""

from __future__ import annotations

from typing import List, Sequence

from mxnet.gluon import Block

from gluon_cbam.common.errors import UsageError

from .batch_norm import batch_norms
from .selection import named, select


def freeze(net: Block, patterns: Sequence[str]) -> List[str]:
    """Freeze parameters: no gradient is computed for them. Call it before the network is hybridized and used.

    A BatchNorm whose gamma and beta are both frozen normalizes by its running statistics, which are frozen too.

    Args:
        net: the network.
        patterns: the patterns of parameters or blocks; see :func:`gluon_cbam.training.parameters.selection.select`.

    Returns:
        The names of all frozen parameters, running statistics included.

    Raises:
        UsageError: a pattern matches no parameter, or no parameter is left to train.
    """
    chosen = dict.fromkeys(name for pattern in patterns for name in select(net, pattern, '--freeze'))
    parameters = named(net)
    for name in chosen:
        parameters[name].grad_req = 'null'
    if all(parameter.grad_req == 'null' for parameter in parameters.values()):
        raise UsageError(f'--freeze {" ".join(patterns)} leaves nothing to train')
    frozen = {id(parameters[name]) for name in chosen}
    for norm in batch_norms(net):
        if {id(norm.gamma), id(norm.beta)} <= frozen:
            norm._kwargs['use_global_stats'] = True
            frozen |= {id(norm.running_mean), id(norm.running_var)}
    return [name for name, parameter in parameters.items() if id(parameter) in frozen]

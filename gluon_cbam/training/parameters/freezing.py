"""Parameters that training leaves as they are."""

from __future__ import annotations

from typing import List, Sequence

from mxnet.gluon import Block

from gluon_cbam.common.errors import UsageError

from .batch_norm import norms
from .selection import named, select


def freeze(net: Block, patterns: Sequence[str]) -> List[str]:
    """Freeze parameters: no gradient is computed for them. Must come before the network is hybridized and used.

    A BatchNorm whose gamma and beta are both frozen normalises by its running statistics, which stay as they are.

    Args:
        net: the network.
        patterns: of names or blocks, as of :func:`.parameters.select`.

    Returns:
        The names of all that is frozen, statistics included.

    Raises:
        UsageError: a pattern means nothing, or nothing is left to train.
    """
    chosen = dict.fromkeys(name for pattern in patterns for name in select(net, pattern, '--freeze'))
    parameters = named(net)
    for name in chosen:
        parameters[name].grad_req = 'null'
    if all(parameter.grad_req == 'null' for parameter in parameters.values()):
        raise UsageError(f'--freeze {" ".join(patterns)} leaves nothing to train')
    frozen = {id(parameters[name]) for name in chosen}
    for norm in norms(net):
        if {id(norm.gamma), id(norm.beta)} <= frozen:
            norm._kwargs['use_global_stats'] = True
            frozen |= {id(norm.running_mean), id(norm.running_var)}
    return [name for name, parameter in parameters.items() if id(parameter) in frozen]

"""The weight-decay multiplier of each parameter."""

from __future__ import annotations

from typing import Dict, Mapping

from mxnet.gluon import Block

from gluon_cbam.training.parameters.selection import multipliers, named

_UNDECAYED = ('bias', 'gamma', 'beta')


def set_weight_decay(net: Block, no_decay: bool, given: Mapping[str, float]) -> Dict[str, float]:
    """Set ``wd_mult`` of every parameter that is trained.

    Args:
        net: the network, its frozen parameters already frozen.
        no_decay: whether biases and BatchNorm's gamma and beta get 0; all others get 1.
        given: pattern -> multiplier, see :func:`gluon_cbam.training.parameters.selection.multipliers`, which overrides
            ``no_decay``.

    Returns:
        Multiplier by name, of the parameters that are trained.

    Raises:
        UsageError: a pattern matches no parameter, or a multiplier is negative or not a number.
    """
    trained = {name: parameter for name, parameter in named(net).items() if parameter.grad_req != 'null'}
    result = {name: float(not (no_decay and name.rpartition('.')[2] in _UNDECAYED)) for name in trained}
    result.update(multipliers(net, given, '--wd-mult'))
    for name, value in result.items():
        trained[name].wd_mult = value
    return result

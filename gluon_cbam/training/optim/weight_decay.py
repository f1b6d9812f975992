"""The weight-decay multiplier of each parameter."""

from __future__ import annotations

from typing import Dict, Mapping

from mxnet.gluon import Block

from gluon_cbam.common.errors import UsageError
from gluon_cbam.training.parameters.selection import named, select

_UNDECAYED = ('bias', 'gamma', 'beta')


def set_weight_decay(net: Block, no_decay: bool, multipliers: Mapping[str, float]) -> Dict[str, float]:
    """Set ``wd_mult`` of every parameter that is trained.

    Args:
        net: the network, its frozen parameters already frozen.
        no_decay: whether biases and BatchNorm's gamma and beta get 0; all others get 1.
        multipliers: pattern of :func:`gluon_cbam.training.parameters.selection.select` -> multiplier, which overrides
            ``no_decay``; of several patterns that match, the last one counts.

    Returns:
        Multiplier by name, of the parameters that are trained.

    Raises:
        UsageError: a pattern matches no parameter, or a multiplier is negative or not a number.
    """
    trained = {name: parameter for name, parameter in named(net).items() if parameter.grad_req != 'null'}
    result = {name: float(not (no_decay and name.rpartition('.')[2] in _UNDECAYED)) for name in trained}
    for pattern, value in multipliers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float('inf'):
            raise UsageError(f'--wd-mult {pattern} must be a number of at least 0, got {value!r}')
        result.update({name: float(value) for name in select(net, pattern, '--wd-mult') if name in trained})
    for name, value in result.items():
        trained[name].wd_mult = value
    return result

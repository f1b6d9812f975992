"""Which parameters the weight decay reaches: the multiplier of each."""

from __future__ import annotations

from typing import Dict, Mapping

from mxnet.gluon import Block

from gluon_cbam.common.errors import UsageError
from gluon_cbam.training.parameters.selection import named, select

_UNDECAYED = ('bias', 'gamma', 'beta')


def set_decay(net: Block, no_decay: bool, multipliers: Mapping[str, float]) -> Dict[str, float]:
    """Set ``wd_mult`` of every trained parameter: 1, with ``no_decay`` 0 for biases and BatchNorm's gamma and beta.

    Args:
        net: the network, what is frozen already so.
        no_decay: as said.
        multipliers: pattern -> multiplier, over that; of several that fit, the last.

    Returns:
        Multiplier by name, of the trained parameters.

    Raises:
        UsageError: a pattern means nothing, or a multiplier is negative or no number.
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

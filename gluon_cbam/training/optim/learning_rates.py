"""The learning-rate multiplier of each parameter."""

from __future__ import annotations

from typing import Dict, Mapping

from mxnet.gluon import Block

from gluon_cbam.training.parameters.selection import multipliers, named


def set_learning_rates(net: Block, given: Mapping[str, float]) -> Dict[str, float]:
    """Set ``lr_mult`` of parameters that are trained; the others keep theirs.

    Args:
        net: the network, its frozen parameters already frozen.
        given: pattern -> multiplier, see :func:`gluon_cbam.training.parameters.selection.multipliers`; 0 leaves
            parameters as they are, also their weight decay, which every optimizer multiplies by the learning rate.

    Returns:
        Multiplier by name, of the parameters that a pattern matches.

    Raises:
        UsageError: a pattern matches no parameter, or a multiplier is negative or not a number.
    """
    result, parameters = multipliers(net, given, '--lr-mult'), named(net)
    for name, value in result.items():
        parameters[name].lr_mult = value
    return result

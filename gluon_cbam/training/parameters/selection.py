"""Parameters of a network by name and by pattern."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, List, Mapping

from mxnet.gluon import Block, Parameter

from gluon_cbam.common.errors import UsageError, closest


def named(net: Block) -> Dict[str, Parameter]:
    """The parameters by their names in files, such as ``layer1.0.conv1.weight``; a shared parameter once."""
    parameters: Dict[str, Parameter] = {}
    seen = set()
    for name, parameter in net._collect_params_with_prefix().items():
        if id(parameter) not in seen:
            seen.add(id(parameter))
            parameters[name] = parameter
    return parameters


def select(net: Block, pattern: str, flag: str) -> List[str]:
    """The names of the parameters that a pattern matches.

    Args:
        net: the network.
        pattern: a shell pattern of parameters (``*.bias``), or of blocks, which selects all their parameters
            (``layer[12]``).
        flag: the flag of the command line, for the message.

    Returns:
        Names of :func:`named`, in its order.

    Raises:
        UsageError: the pattern matches none.
    """
    names = list(named(net))
    chosen = [name for name in names if any(fnmatchcase(part, pattern) for part in (name, *_blocks(name)))]
    if not chosen:
        known = [*dict.fromkeys(block for name in names for block in _blocks(name)), *names]
        raise UsageError(f'{flag} {pattern!r} matches no parameter of {type(net).__name__}: {closest(pattern, known)}')
    return chosen


def multipliers(net: Block, given: Mapping[str, float], flag: str) -> Dict[str, float]:
    """The factors that patterns give parameters.

    Args:
        net: the network.
        given: pattern of :func:`select` -> factor; of several patterns that match, the last one counts.
        flag: the flag of the command line, for messages.

    Returns:
        Factor by name, of the parameters that a pattern matches and that are trained.

    Raises:
        UsageError: a pattern matches no parameter, or a factor is negative, not finite or not a number.
    """
    parameters, found = named(net), {}
    for pattern, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float('inf'):
            raise UsageError(f'{flag} {pattern} must be a number of at least 0, got {value!r}')
        found.update({name: float(value) for name in select(net, pattern, flag)})
    return {name: value for name, value in found.items() if parameters[name].grad_req != 'null'}


def _blocks(name: str) -> List[str]:
    """The blocks that contain a parameter, the outermost first."""
    parts = name.split('.')
    return ['.'.join(parts[:count]) for count in range(1, len(parts))]

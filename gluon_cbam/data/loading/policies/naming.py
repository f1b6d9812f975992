"""The policies of augmentation by the names that timm's ``--aa`` and torchvision's ``--auto-augment`` take."""

from __future__ import annotations

import re
from typing import Callable, Dict, Sequence, Tuple

from gluon_cbam.common.errors import UsageError, closest

from .randaugment import RandAugment
from .step import Step
from .trivialaugment import TrivialAugment

_Convert = Callable[[str], float]


def _switch(text: str) -> bool:
    return bool(int(text))


# parameter of timm's string -> attribute of RandAugment, and its type
_OF_RANDAUGMENT: Dict[str, Tuple[str, _Convert]] = {
    'n': ('layers', int),
    'm': ('magnitude', int),
    'mstd': ('deviation', float),
    'mmax': ('largest', int),
    'inc': ('increasing', _switch),
    'p': ('probability', float),
}


def _randaugment(text: str, parameters: Sequence[str]) -> Step:
    """RandAugment of parameters such as ``m9`` and ``mstd0.5``."""
    values: Dict[str, float] = {}
    for part in parameters:
        match = re.fullmatch(r'([A-Za-z]+)(\d+(?:\.\d+)?)', part)
        if match is None:
            raise UsageError(f'--aa {text!r}: {part!r} is no parameter with a number, such as m9')
        key, number = match.groups()
        if key not in _OF_RANDAUGMENT:
            raise UsageError(f'--aa {text!r}: unknown parameter {key!r}: {closest(key, _OF_RANDAUGMENT)}')
        name, convert = _OF_RANDAUGMENT[key]
        if name in values:
            raise UsageError(f'--aa {text!r}: {key!r} is given twice')
        try:
            values[name] = convert(number)
        except ValueError:
            raise UsageError(f'--aa {text!r}: {key!r} takes a whole number, got {number!r}') from None
    return RandAugment(**values)  # type: ignore[arg-type]


def _trivialaugment(text: str, parameters: Sequence[str]) -> Step:
    """TrivialAugment."""
    if parameters:
        raise UsageError(f'--aa {text!r}: TrivialAugment takes no parameters: leave {"-".join(parameters)} out')
    return TrivialAugment()


POLICIES: Dict[str, Callable[[str, Sequence[str]], Step]] = {
    'rand': _randaugment,
    'randaugment': _randaugment,
    'trivialaugment': _trivialaugment,
    'ta_wide': _trivialaugment,
}
"""Name before the first dash -> function of the whole text and of its parameters to the step."""


def policy(text: str) -> Step:
    """The step of a policy.

    Args:
        text: ``rand-m9-mstd0.5-inc1`` for RandAugment, with timm's parameters ``n``, ``m``, ``mstd``, ``mmax``, ``inc``
            and ``p``, each optional, or ``trivialaugment``.

    Returns:
        The step.

    Raises:
        UsageError: the name or a parameter is unknown, or a value is out of bounds.
    """
    name, *parameters = text.split('-')
    if name not in POLICIES:
        raise UsageError(f'unknown policy of augmentation {text!r}: {closest(name, POLICIES)}')
    return POLICIES[name](text, parameters)

"""What a setting of a run is: a default, a line of help, flags and bounds. :mod:`.config` has the settings."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any, Mapping, Optional, Tuple

from ..errors import UsageError, closest


def setting(
    default,
    help: str,
    *flags: str,
    kind: type = str,
    hidden: Tuple[str, ...] = (),
    choices: Tuple[str, ...] = (),
    least: Optional[float] = None,
    below: Optional[float] = None,
    lasting: bool = False,
    optional: bool = False,
):
    """A setting.

    Args:
        default: of the setting.
        help: one line.
        *flags: on the command line; by default the name with dashes.
        kind: type of the value; ``dict`` for repeated KEY=VALUE, ``list`` for numbers separated by commas, ``tuple``
            for repeated texts, ``bool`` for a flag and its ``--no-`` form.
        hidden: further flags that the help does not show, known from other tools.
        choices: the values that there are.
        least: the smallest value.
        below: a bound that the value does not reach.
        lasting: whether a resumed run must have the same value.
        optional: whether the flag may stand without a value, which is then the empty text.
    """
    if choices:
        help = f'{help}: {", ".join(choices)}'
    metadata = dict(
        help=help, flags=flags, kind=kind, hidden=hidden, choices=choices, least=least, below=below, lasting=lasting,
        optional=optional,
    )  # fmt: skip
    if kind in (dict, list, tuple):
        make = dict if kind is dict else list
        return field(default_factory=lambda: make(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(name: str) -> str:
    """The command line's name of a setting."""
    return '--' + name.replace('_', '-')


def check(name: str, value: Any, about: Mapping[str, Any]) -> None:
    """Check a value against the choices and bounds of its setting.

    Raises:
        UsageError: it is none of the choices, or out of bounds.

    The choices matter: MXNet takes the name of a kvstore that it does not know for a local one, without a word.
    """
    if value is None:
        return
    if about['choices'] and value not in about['choices']:
        raise UsageError(f'{name} {value!r} is unknown: {closest(value, about["choices"])}')
    least, below = about['least'], about['below']
    if least is not None and not (least <= value < (math.inf if below is None else below)):
        bound = '' if below is None else f' and below {below:g}'
        raise UsageError(f'{name} must be at least {least:g}{bound}, got {value:g}')

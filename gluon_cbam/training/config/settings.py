"""What a setting of a run is: a type, a default, a line of help, flags and bounds. :mod:`.config` has the settings."""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest


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
    section: Optional[str] = None,
    instead_of: Optional[str] = None,
    in_files: bool = True,
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
        section: of the help that begins with this setting; without it, that of the setting before.
        instead_of: another setting, which this one takes the place of: never both.
        in_files: whether files may hold it; if not, it is for the command line only.
        optional: whether the flag may stand without a value, which is then the empty text.
    """
    if choices:
        help = f'{help}: {", ".join(choices)}'
    metadata = dict(
        help=help, flags=flags, kind=kind, hidden=hidden, choices=choices, least=least, below=below, lasting=lasting,
        section=section, instead_of=instead_of, in_files=in_files, optional=optional,
    )  # fmt: skip
    if kind in (dict, list, tuple):
        make = dict if kind is dict else list
        return field(default_factory=lambda: make(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(name: str) -> str:
    """The command line's name of a setting."""
    return '--' + name.replace('_', '-')


def default_of(entry: Field) -> Any:
    """The default of a setting."""
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _text(value: Any) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):  # gpus: 0
        return str(value)
    raise ValueError


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)  # also of a text: PyYAML takes 1e-4 for one


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _texts(value: Any) -> List[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return list(value)
    raise TypeError


def _numbers(value: Any) -> list:
    if isinstance(value, str):
        value = [part for part in value.split(',') if part.strip()]
    return [_number(part) for part in (value if isinstance(value, (list, tuple)) else [value])]


def _mapping(value: Any) -> dict:
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError


# kind -> what makes a value of it, and what it is called in a message
_KINDS: Dict[type, Tuple[Callable[[Any], Any], str]] = {
    str: (_text, 'a text'),
    int: (_whole, 'a whole number'),
    float: (_number, 'a number'),
    bool: (_truth, 'true or false'),
    tuple: (_texts, 'a list of texts'),
    list: (_numbers, 'numbers separated by commas'),
    dict: (_mapping, 'KEY: VALUE pairs'),
}


def checked(name: str, value: Any, entry: Field) -> Any:
    """The value of a setting in its type, within its choices and bounds.

    Args:
        name: for messages.
        value: from a file, the command line or Python.
        entry: the setting.

    Raises:
        UsageError: it is of another type, none of the choices, or out of bounds.

    The choices matter: MXNet takes the name of a kvstore that it does not know for a local one, without a word.
    """
    about = entry.metadata
    if value is None and default_of(entry) is None:
        return None
    make, called = _KINDS[about['kind']]
    try:
        value = make(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f'{name} must be {called}, got {value!r}') from None
    if about['choices'] and value not in about['choices']:
        raise UsageError(f'{name} {value!r} is unknown: {closest(value, about["choices"])}')
    least, below = about['least'], about['below']
    if least is not None and not (least <= value < (math.inf if below is None else below)):
        bound = '' if below is None else f' and below {below:g}'
        raise UsageError(f'{name} must be at least {least:g}{bound}, got {value:g}')
    return value

"""A setting: type, default, help, flags and bounds.

:mod:`gluon_cbam.training.config.train_config` has the settings of every run; a task may have further ones, see
``settings`` of :class:`gluon_cbam.tasks.Task`.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.image_size import ImageSize, parse_image_size
from gluon_cbam.common.limits import MAX_IMAGE_SIZE


def setting(
    default: Any,
    help: str,
    *flags: str,
    kind: Any = str,
    aliases: Tuple[str, ...] = (),
    choices: Tuple[str, ...] = (),
    minimum: Optional[float] = None,
    exclusive_maximum: Optional[float] = None,
    immutable: bool = False,
    section: Optional[str] = None,
    replaces: Optional[str] = None,
    in_files: bool = True,
    optional_value: bool = False,
    path: bool = False,
) -> Any:
    """Declare a setting as a field of a dataclass.

    Args:
        default: the default value.
        help: one line.
        *flags: the flags on the command line; by default the name with dashes.
        kind: type of the value; ``dict`` for repeated KEY=VALUE, ``list`` for numbers separated by commas, ``tuple``
            for repeated strings, ``bool`` for a flag and its ``--no-`` form,
            :data:`gluon_cbam.common.image_size.ImageSize` for one number of pixels, or height and width.
        aliases: further flags that the help does not show, known from other tools.
        choices: the allowed values; empty for any.
        minimum: the smallest allowed value.
        exclusive_maximum: values must be below it; it needs a ``minimum``.
        immutable: whether a run that is resumed must keep the value.
        section: title of the section of the help that begins with this setting; by default the previous one continues.
        replaces: another setting, which this one is given instead of; both exclude each other.
        in_files: whether files may have it; otherwise it is for the command line only.
        optional_value: whether the flag may be given without a value, which is then the empty string.
        path: whether the value is a path, of which commands that are published have folder and name alone.

    Returns:
        A dataclass field whose metadata has the arguments by name.
    """
    if choices:
        help = f'{help}: {", ".join(choices)}'
    metadata = dict(
        help=help, flags=flags, kind=kind, aliases=aliases, choices=choices, minimum=minimum,
        exclusive_maximum=exclusive_maximum, immutable=immutable, section=section, replaces=replaces,
        in_files=in_files, optional_value=optional_value, path=path,
    )  # fmt: skip
    if kind in (dict, list, tuple):
        make = dict if kind is dict else list
        return field(default_factory=lambda: make(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(name: str) -> str:
    """The flag of a setting, as messages show it: ``batch_size`` is ``--batch-size``."""
    return '--' + name.replace('_', '-')


def default_of(entry: Field) -> Any:
    """The default of a setting; lists and dictionaries are new at each call."""
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _string(value: Any) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):  # gpus: 0
        return str(value)
    raise ValueError


def _integer(value: Any) -> int:
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)  # also of a string, which 1e-4 is for PyYAML


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _strings(value: Any) -> List[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return list(value)
    raise TypeError


def _numbers(value: Any) -> List[float]:
    if isinstance(value, str):
        value = [part for part in value.split(',') if part.strip()]
    return [_number(part) for part in (value if isinstance(value, (list, tuple)) else [value])]


def _mapping(value: Any) -> Dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError


# kind -> conversion of a value, and the name of the kind in messages
_KINDS: Dict[Any, Tuple[Callable[[Any], Any], str]] = {
    str: (_string, 'a string'),
    int: (_integer, 'an integer'),
    float: (_number, 'a number'),
    bool: (_boolean, 'true or false'),
    tuple: (_strings, 'a list of strings'),
    list: (_numbers, 'numbers separated by commas'),
    dict: (_mapping, 'KEY: VALUE pairs'),
    ImageSize: (parse_image_size, f'one number of pixels in 1..{MAX_IMAGE_SIZE}, or height and width such as 32,64'),
}


def validated(name: str, value: Any, entry: Field) -> Any:
    """Convert the value of a setting to its type, and check its choices and bounds.

    The choices matter: MXNet takes an unknown name of a kvstore for a local one, without an error.

    Args:
        name: the name of the value, for messages.
        value: a value from a file, the command line or Python.
        entry: the setting.

    Returns:
        The value in the type of the setting; None where that is the default.

    Raises:
        UsageError: the value is of another type, has bytes that are not UTF-8, is not one of the choices, or is out of
            bounds.
    """
    about = entry.metadata
    if value is None and default_of(entry) is None:
        return None
    convert, kind = _KINDS[about['kind']]
    try:
        value = convert(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f'{name} must be {kind}, got {value!r}') from None
    if isinstance(value, str) and any('\ud800' <= letter <= '\udfff' for letter in value):
        raise UsageError(
            f'{name} must be text in UTF-8, as configurations and MXNet take no other, got {value!r}: rename it'
        )
    if about['choices'] and value not in about['choices']:
        raise UsageError(f'{name} {value!r} is unknown: {closest(value, about["choices"])}')
    minimum, maximum = about['minimum'], about['exclusive_maximum']
    if minimum is not None and not (minimum <= value < (math.inf if maximum is None else maximum)):
        finite = ' and finite' if value == math.inf else ''
        bound = finite if maximum is None else f' and below {maximum:g}'
        raise UsageError(f'{name} must be at least {minimum:g}{bound}, got {value:g}')
    return value

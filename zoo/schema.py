"""Dataclasses from parsed YAML or JSON, checked against their annotations: unknown, missing or mistyped fields."""

from __future__ import annotations

import math
import reprlib
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Dict, Mapping, Tuple, Type, TypeVar, Union, get_type_hints

from gluon_cbam.common.errors import CbamError, DataError

T = TypeVar('T')

_SHORT = reprlib.Repr()  # YAML aliases may be recursive, or expand to gigabytes
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 80, 80


def decode(cls: Type[T], values: Any, where: str, prefix: str = '') -> T:
    """Make a dataclass from a mapping; its ``__post_init__`` may check it further.

    Args:
        cls: the dataclass. Its fields are str, int, float, bool, Any, dataclasses, or Optional, List, Dict or Tuple of
            these. Fields with ``unwritten`` in their metadata are not read.
        values: the parsed content of the file.
        where: path or URL of the file, for messages.
        prefix: path of the dataclass inside the file, ending in a dot; default the top level.

    Returns:
        An instance of ``cls``.

    Raises:
        DataError: a field is missing, unknown or of another type; the message names file, field and value.
    """
    if not isinstance(values, Mapping):
        raise DataError(f'{where}: {prefix.rstrip(".") or "a card"} must be a mapping, got {_SHORT.repr(values)}')
    entries = fields(cls)  # type: ignore[arg-type]  # typeshed has no public name for the type of a dataclass
    known = [entry.name for entry in entries if not entry.metadata.get('unwritten')]
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        raise DataError(f'{where}: unknown field {prefix}{unknown[0]}: known: {", ".join(known)}')
    hints = get_type_hints(cls)
    made: Dict[str, Any] = {}
    for entry in entries:
        if entry.name in values:
            made[entry.name] = _value(hints[entry.name], values[entry.name], where, prefix + entry.name)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise DataError(f'{where}: {prefix}{entry.name} is missing')
    try:
        return cls(**made)
    except CbamError as error:
        raise DataError(f'{where}: {prefix}{error}') from None


def _value(kind: Any, value: Any, where: str, path: str) -> Any:
    """A value, checked against an annotation and converted to it."""
    origin = getattr(kind, '__origin__', None)
    arguments: Tuple[Any, ...] = getattr(kind, '__args__', ())
    if kind is Any:
        return value
    if origin is Union:  # Optional
        return None if value is None else _value(arguments[0], value, where, path)
    if isinstance(kind, type) and is_dataclass(kind):
        return decode(kind, value, where, f'{path}.')
    if origin is dict:
        _expect(isinstance(value, Mapping), 'a mapping', value, where, path)
        return {str(key): _value(arguments[1], item, where, f'{path}.{key}') for key, item in value.items()}
    if origin in (list, tuple):
        _expect(isinstance(value, (list, tuple)), 'a list', value, where, path)
        if origin is tuple and arguments[-1] is not Ellipsis:
            _expect(len(value) == len(arguments), f'a list of {len(arguments)}', value, where, path)
        return origin(_value(arguments[0], item, where, f'{path}[{index}]') for index, item in enumerate(value))
    return _plain(kind, value, where, path)


def _plain(kind: Any, value: Any, where: str, path: str) -> Any:
    """A value of a plain type; an int is accepted as a float, a bool is not accepted as a number."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float:
        _expect(numeric and math.isfinite(value), 'a number', value, where, path)
        return float(value)
    names = {str: 'text', int: 'an integer', bool: 'true or false'}
    _expect(isinstance(value, kind) and (kind is not int or numeric), names[kind], value, where, path)
    return value


def _expect(fulfilled: bool, expected: str, value: Any, where: str, path: str) -> None:
    if not fulfilled:
        raise DataError(f'{where}: {path} must be {expected}, got {_SHORT.repr(value)}')

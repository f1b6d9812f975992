"""Dataclasses from parsed YAML or JSON, checked against their annotations: unknown, missing or mistyped fields.

Values are of bounded size: see :data:`MAX_TEXT`, :data:`MAX_ITEMS` and :data:`MAX_DEPTH`.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Dict, Mapping, Tuple, Type, TypeVar, Union, get_type_hints

from gluon_cbam.common.documents import check_characters
from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.common.quoting import shown, shown_name

T = TypeVar('T')

MAX_TEXT = 1 << 16
"""Largest length of a text in characters; the command of a training run, or a citation, is the longest."""
MAX_ITEMS = 1 << 17
"""Largest number of items of a list, for instance of names of classes."""
MAX_DEPTH = 8
"""Deepest nesting of a field without a type of its own, such as ``training``."""
MAX_INT = 1 << 53
"""Largest integer, which a float still represents."""


def decode(cls: Type[T], values: Any, where: str, prefix: str = '') -> T:
    """Make a dataclass from a mapping; its ``__post_init__`` may check it further.

    Args:
        cls: the dataclass. Its fields are str, int, float, bool, Any, dataclasses, or Optional, List, Dict or Tuple of
            these, or a Union whose lists are a Tuple. Fields with ``unwritten`` in their metadata are not read.
        values: the parsed content of the file.
        where: path or URL of the file, for messages.
        prefix: path of the dataclass inside the file, ending in a dot; default the top level.

    Returns:
        An instance of ``cls``.

    Raises:
        DataError: a field is missing, unknown or of another type; the message names file, field and value.
    """
    if not isinstance(values, Mapping):
        raise DataError(f'{where}: {prefix.rstrip(".") or "a card"} must be a mapping, got {shown(values)}')
    entries = fields(cls)  # type: ignore[arg-type]  # typeshed has no public name for the type of a dataclass
    known = [entry.name for entry in entries if not entry.metadata.get('unwritten')]
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        raise DataError(f'{where}: unknown field {prefix}{shown_name(unknown[0])}: known: {", ".join(known)}')
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
        return _any(value, where, path, MAX_DEPTH)
    if origin is Union:
        return None if value is None else _value(_alternative(arguments, value), value, where, path)
    if isinstance(kind, type) and is_dataclass(kind):
        return decode(kind, value, where, f'{path}.')
    if origin is dict:
        return _mapping(arguments[1], value, where, path)
    if origin in (list, tuple):
        _expect(isinstance(value, (list, tuple)), 'a list', value, where, path)
        _expect(len(value) <= MAX_ITEMS, f'a list of at most {MAX_ITEMS}', value, where, path)
        if origin is tuple and arguments[-1] is not Ellipsis:
            _expect(len(value) == len(arguments), f'a list of {len(arguments)}', value, where, path)
        return origin(_value(arguments[0], item, where, f'{path}[{index}]') for index, item in enumerate(value))
    return _plain(kind, value, where, path)


def _alternative(kinds: Tuple[Any, ...], value: Any) -> Any:
    """The kind of a Union that a value is read as: the tuple, if there is one, of a list, else the first."""
    lists = [kind for kind in kinds if getattr(kind, '__origin__', None) is tuple]
    return lists[0] if lists and isinstance(value, (list, tuple)) else kinds[0]


def _mapping(kind: Any, value: Any, where: str, path: str) -> Dict[str, Any]:
    """A mapping by names, whose values are checked against an annotation."""
    _expect(isinstance(value, Mapping), 'a mapping', value, where, path)
    _expect(len(value) <= MAX_ITEMS, f'a mapping of at most {MAX_ITEMS}', value, where, path)
    return {str(key): _value(kind, item, where, f'{path}.{shown_name(str(key))}') for key, item in value.items()}


def _any(value: Any, where: str, path: str, depth: int) -> Any:
    """A plain value of any type: what JSON and YAML both have."""
    if isinstance(value, (list, tuple, Mapping)):
        _expect(depth > 0, f'nested at most {MAX_DEPTH} levels deep', value, where, path)
        _expect(len(value) <= MAX_ITEMS, f'a list or mapping of at most {MAX_ITEMS}', value, where, path)
    if isinstance(value, Mapping):
        items = ((str(key), item) for key, item in value.items())
        return {key: _any(item, where, f'{path}.{shown_name(key)}', depth - 1) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_any(item, where, f'{path}[{index}]', depth - 1) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    known = next((kind for kind in (str, int, float) if isinstance(value, kind)), None)
    _expect(known is not None, 'text, a number, true, false, null, a list or a mapping', value, where, path)
    return _plain(known, value, where, path)


def _plain(kind: Any, value: Any, where: str, path: str) -> Any:
    """A value of a plain type; an int is accepted as a float, a bool is not accepted as a number."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float:
        _expect(numeric and _is_finite(value), 'a number', value, where, path)
        return float(value)
    names = {str: 'text', int: 'an integer', bool: 'true or false'}
    _expect(isinstance(value, kind) and (kind is not int or numeric), names[kind], value, where, path)
    if kind is int:
        _expect(abs(value) <= MAX_INT, f'an integer of at most {MAX_INT}', value, where, path)
    if kind is str:
        _expect(len(value) <= MAX_TEXT, f'text of at most {MAX_TEXT} characters', value, where, path)
        _expect(_is_text(value), 'text that can be written', value, where, path)
    return value


def _is_text(value: str) -> bool:
    """Whether a text can be encoded: it has no half of a surrogate pair."""
    try:
        check_characters(value)
    except ValueError:
        return False
    return True


def _is_finite(value: Any) -> bool:
    """Whether a number is finite as a float."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that is too large
        return False


def _expect(fulfilled: bool, expected: str, value: Any, where: str, path: str) -> None:
    if not fulfilled:
        raise DataError(f'{where}: {path} must be {expected}, got {shown(value)}')

"""Values from files in messages: bounded in time, memory and length, on one line, and printable."""

from __future__ import annotations

import datetime
from typing import Any, Callable, Iterable, List

from .printable import printable

_LIMIT = 80  # characters of a value
_MOST_ITEMS = 6  # of a list, a tuple or a mapping
_MOST_DEPTH = 3
_MOST_BITS = 256  # of an integer that is written out; Python takes quadratic time for it
_SHORT = (bool, type(None), float, complex, datetime.date, datetime.time)
_BRACKETS = {'list': '[]', 'tuple': '()', 'set': '{}', 'frozenset': '{}', 'dict': '{}'}
_CUT = '...'


def shown(value: Any, limit: int = _LIMIT) -> str:
    """Write a value of unknown origin for a message, much as ``repr`` does.

    ``repr`` of a value from a file can take for ever: a tuple that contains itself twice, again and again, has a
    length exponential in the size of the file.

    Args:
        value: any value. Only plain values and their containers are written; another is named by its class, as its own
            ``repr`` may do anything.
        limit: the largest number of characters.

    Returns:
        One line of printable characters, cut with ``...`` where it would be longer.
    """
    return _cut(_written(value, limit, _MOST_DEPTH), limit)


def shown_name(name: Any, limit: int = 2 * _LIMIT) -> str:
    """Write the name of a parameter or a class for a message: as it is, if it is short and printable.

    Args:
        name: the name; a value that is no text is written as by :func:`shown`.
        limit: the largest number of characters.

    Returns:
        One line of printable characters; others are escaped as by :func:`.printable`.
    """
    return _cut(printable(name[: limit + 1]), limit) if isinstance(name, str) else shown(name, limit)


def shown_names(names: Iterable[Any], most: int = 8) -> str:
    """Write the first of some names for a message, and how many more there are.

    Args:
        names: the names; see :func:`shown_name`.
        most: how many are written.

    Returns:
        One line, such as ``a, b and 3 more``.
    """
    names = list(names)
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(shown_name(name) for name in names[:most]) + more


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - len(_CUT))] + _CUT


def _written(value: Any, limit: int, depth: int) -> str:
    """A value, whose containers are written down to a depth."""
    kind = type(value)
    if isinstance(value, _SHORT):
        return repr(value)
    if isinstance(value, int):
        bits = value.bit_length()
        return repr(value) if bits <= _MOST_BITS else f'an integer of {bits} bits'
    if isinstance(value, (str, bytes)):
        return _cut(repr(value[:limit]) + (_CUT if len(value) > limit else ''), limit)
    if kind not in (list, tuple, set, frozenset, dict):
        return f'<{_cut(kind.__name__, _LIMIT)}>'
    brackets = _BRACKETS[kind.__name__]
    if depth == 0:
        return brackets[0] + (_CUT if value else '') + brackets[1]
    one = _pair(value) if kind is dict else lambda item, rest: _written(item, limit, rest)
    comma = ',' if kind is tuple and len(value) == 1 else ''
    return brackets[0] + ', '.join(_items(value, one, depth - 1)) + comma + brackets[1]


def _items(values: Iterable[Any], one: Callable[[Any, int], str], depth: int) -> List[str]:
    """The first items of a container."""
    items: List[str] = []
    for number, value in enumerate(values):
        if number == _MOST_ITEMS:
            return [*items, _CUT]
        items.append(one(value, depth))
    return items


def _pair(mapping: Any) -> Callable[[Any, int], str]:
    """Writes a key of a mapping and its value."""
    return lambda key, depth: f'{_written(key, _LIMIT, depth)}: {_written(mapping[key], _LIMIT, depth)}'

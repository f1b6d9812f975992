"""Names in a sentence."""

from __future__ import annotations

from typing import Iterable


def listed(names: Iterable[object], last: str = 'and') -> str:
    """Write names as a sentence has them.

    Args:
        names: the names.
        last: the word before the last one, ``and`` or ``or``.

    Returns:
        ``a``, ``a and b``, or ``a, b and c``; empty without names.

    Example:
        >>> listed(['a', 'b', 'c'], 'or')
        'a, b or c'
    """
    *others, end = [str(name) for name in names] or ['']
    return f'{", ".join(others)} {last} {end}' if others else end

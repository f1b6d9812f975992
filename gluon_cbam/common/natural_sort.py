"""Natural order of names: ``resnet18`` before ``resnet101``."""

from __future__ import annotations

import re
from typing import Iterable, List, Match

_DIGITS = re.compile(r'[0-9]+')


def naturally_sorted(names: Iterable[str]) -> List[str]:
    """Sort names by their letters, and by the values of the numbers in them.

    Args:
        names: in any order.

    Returns:
        The sorted names; equal numbers with different leading zeros are in alphabetical order.
    """
    return sorted(sorted(names), key=_key)  # the inner order decides between 1 and 01


def _key(name: str) -> str:
    """The name, with the number of digits before each number. A string: a million lists would take much memory."""
    return _DIGITS.sub(_counted, name)


def _counted(match: Match[str]) -> str:
    digits = match.group().lstrip('0')
    return f'{len(digits):03}{digits}'

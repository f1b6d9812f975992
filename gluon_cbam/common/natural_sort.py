"""Natural order of names: ``resnet18`` before ``resnet101``."""

from __future__ import annotations

import re
from typing import Iterable, List, Match

_DIGITS = re.compile(r'[0-9]+')


def naturally_sorted(names: Iterable[str]) -> List[str]:
    """Sort names so that numbers in them are compared by value.

    Args:
        names: in any order.

    Returns:
        The sorted names; equal numbers with different leading zeros are in alphabetical order.
    """
    return sorted(sorted(names), key=_key)  # the inner order decides between 1 and 01


def _key(name: str) -> str:
    """The name with each number preceded by its count of digits. One string takes less memory than a list of parts."""
    return _DIGITS.sub(_with_digit_count, name)


def _with_digit_count(match: Match[str]) -> str:
    digits = match.group().lstrip('0')
    return f'{len(digits):03}{digits}'

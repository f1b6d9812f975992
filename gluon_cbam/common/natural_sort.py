"""The order in which people count: ``resnet18`` before ``resnet101``."""

from __future__ import annotations

import re
from typing import Iterable, List

_DIGITS = re.compile(r'[0-9]+')


def naturally_sorted(names: Iterable[str]) -> List[str]:
    """Names sorted by their letters, and by the values of the numbers in them."""
    return sorted(sorted(names), key=_key)  # the inner order decides between 1 and 01


def _key(name: str) -> str:
    """The name with each number behind how many digits it has; a string, as a million lists would take much memory."""
    return _DIGITS.sub(_counted, name)


def _counted(match) -> str:
    digits = match.group().lstrip('0')
    return f'{len(digits):03}{digits}'

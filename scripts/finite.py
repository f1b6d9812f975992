"""Numbers on the command lines of these scripts, which ``float`` takes without asking: it reads nan and inf, too."""

from __future__ import annotations

import math

from gluon_cbam.common.errors import UsageError


def positive(text: str) -> float:
    """A number of an option, as the ``type`` of click or argparse.

    Args:
        text: the value that was given.

    Returns:
        The number, finite and above 0.

    Raises:
        UsageError: it is none; both parsers take it for a ValueError, and name the option.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f'a finite number above 0 is needed, got {text!r}')
    return number

"""The memory of this process: resident set size, and its peak."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')
_RESET_PEAK = '5'  # proc(5): sets the peak to the present size


def resident() -> int:
    """Bytes that are resident now; 0 if the system does not report them."""
    return _bytes('VmRSS')


def peak() -> int:
    """The most bytes that were resident since the program began, or since :func:`forget_peak`.

    The peak is of this program alone, unlike ``ru_maxrss``, which a program inherits from the one that started it.
    ``ru_maxrss`` is used if the system does not report the peak otherwise.
    """
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
    return _bytes('VmHWM') or inherited


def forget_peak() -> None:
    """Reset the peak to the present size; if the system forbids this, it stays the peak of the whole program."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)


def _bytes(name: str) -> int:
    status = _STATUS.read_text() if _STATUS.exists() else ''
    found = re.search(rf'^{name}:\s+(\d+) kB$', status, re.MULTILINE)
    return 1024 * int(found.group(1)) if found else 0

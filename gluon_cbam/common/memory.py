"""The memory of this process: resident set size, and its peak."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')
_RESET_PEAK = '5'  # proc(5): sets the peak to the current size


def resident() -> int:
    """The resident set size in bytes; 0 if the system does not report it."""
    return _bytes('VmRSS')


def peak() -> int:
    """The largest resident set size in bytes since the program began, or since :func:`reset_peak`.

    ``VmHWM`` of Linux belongs to this program alone, whereas a program inherits ``ru_maxrss`` from its parent process.
    ``ru_maxrss`` is the fallback where the system does not report ``VmHWM``; 0 where it reports neither, as Windows.
    """
    return _bytes('VmHWM') or _inherited_peak()


def _inherited_peak() -> int:
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)


def reset_peak() -> None:
    """Reset the peak to the current size; if the system forbids this, the peak of the whole program remains."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding='ascii')


def _bytes(name: str) -> int:
    status = _STATUS.read_text(encoding='utf-8') if _STATUS.exists() else ''
    found = re.search(rf'^{name}:\s+(\d+) kB$', status, re.MULTILINE)
    return 1024 * int(found.group(1)) if found else 0

"""Peak memory of this process, as Linux counts it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')
_RESET_PEAK = '5'  # proc(5): sets the peak to what is resident now


def resident() -> int:
    """Bytes that are resident now."""
    return _bytes('VmRSS')


def peak() -> int:
    """The most bytes that were resident since the program began, or since :func:`forget_peak`.

    That is this program's alone, unlike ``ru_maxrss``, which a new program inherits from the one that started it.
    """
    return _bytes('VmHWM')


def forget_peak() -> None:
    """Count the peak from now on; where the system forbids it, it stays that of the whole program."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)


def _bytes(name: str) -> int:
    found = re.search(rf'^{name}:\s+(\d+) kB$', _STATUS.read_text(), re.MULTILINE)
    return 1024 * int(found.group(1)) if found else 0

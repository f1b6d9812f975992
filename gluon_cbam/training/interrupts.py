"""SIGINT and SIGTERM while training: the first asks the loop to stop at the next step, a second stops at once."""

from __future__ import annotations

import signal
import threading
from typing import Optional

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Notes a signal instead of dying of it, inside a ``with`` block.

    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        received: the number of the signal that came, or None.
    """

    def __init__(self):
        self.received: Optional[int] = None
        self._before = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def _note(self, number, frame):
        self.received = number
        self._restore()

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __exit__(self, *error):
        self._restore()

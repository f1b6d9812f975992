"""Signals while training: SIGINT and SIGTERM ask the loop to stop at the next step, SIGUSR1 asks it to save.

A second SIGINT or SIGTERM stops at once.
"""

from __future__ import annotations

import signal
import threading
from typing import Optional

STOPS = (signal.SIGINT, signal.SIGTERM)
_SAVES = (signal.SIGUSR1,)


class Interrupts:
    """Notes a signal instead of dying of it, inside a ``with`` block.

    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        received: the number of the signal that asked to stop, or None.
        save: whether a signal asked to save; whoever does so sets it to False.
    """

    def __init__(self):
        self.received: Optional[int] = None
        self.save = False
        self._before = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for numbers, handler in ((STOPS, self._stop), (_SAVES, self._ask)):
                self._before.update({number: signal.signal(number, handler) for number in numbers})
        return self

    def _stop(self, number, frame):
        self.received = number
        self._restore(STOPS)

    def _ask(self, number, frame):
        self.save = True

    def _restore(self, numbers):
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))

    def __exit__(self, *error):
        self._restore(STOPS + _SAVES)

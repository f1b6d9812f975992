"""Signals while training: SIGINT and SIGTERM ask the loop to stop at the next step, SIGUSR1 asks it to save.

A second SIGINT or SIGTERM stops at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Dict, Optional, Sequence

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAVE_SIGNALS = (signal.SIGUSR1,)


class SignalHandler:
    """Notes a signal instead of ending the process, inside a ``with`` block.

    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        received: the number of the signal that asked to stop, or None.
        save: whether a signal asked to save; the training loop sets it to False after saving.
    """

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self.save = False
        self._previous: Dict[int, Any] = {}

    def pending(self) -> bool:
        """Whether a signal asked to stop or to save."""
        return self.save or self.received is not None

    def __enter__(self) -> SignalHandler:
        if threading.current_thread() is threading.main_thread():
            for numbers, handler in ((STOP_SIGNALS, self._on_stop), (_SAVE_SIGNALS, self._on_save)):
                self._previous.update({number: signal.signal(number, handler) for number in numbers})
        return self

    def _on_stop(self, number: int, frame: Optional[FrameType]) -> None:
        self.received = number
        self._restore(STOP_SIGNALS)

    def _on_save(self, number: int, frame: Optional[FrameType]) -> None:
        self.save = True

    def _restore(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self._previous:
                signal.signal(number, self._previous.pop(number))

    def __exit__(self, *error: object) -> None:
        self._restore(STOP_SIGNALS + _SAVE_SIGNALS)

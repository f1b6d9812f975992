"""Signals that ask a command to stop.

With :class:`StopSignals` a long command finishes the step that it is in, saves, and ends. With :func:`unwinding` a
command ends where it is, and removes what it has written under temporary names. A second signal stops at once.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, Optional[FrameType]], None]


class StopSignals:
    """Notes SIGINT and SIGTERM instead of ending the process, inside a ``with`` block.

    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        received: the number of the signal that asked to stop, or None.
    """

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._previous: Dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._handle(STOP_SIGNALS, self._on_stop)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore(tuple(self._previous))

    def _handle(self, numbers: Sequence[int], handler: Handler) -> None:
        """Install a handler until the block ends."""
        if threading.current_thread() is threading.main_thread():
            self._previous.update({number: signal.signal(number, handler) for number in numbers})

    def _on_stop(self, number: int, frame: Optional[FrameType]) -> None:
        self.received = number
        self._restore(STOP_SIGNALS)

    def _restore(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self._previous:
                signal.signal(number, self._previous.pop(number))


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that ends a command as SIGINT does."""


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise :class:`Terminated` for SIGTERM inside a ``with`` block, whose default ends the process where it is.

    Outside the main thread, where Python allows no handlers, and in processes that are forked inside the block, nothing
    changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def end(number: int, frame: Optional[FrameType]) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != process:
            os.kill(os.getpid(), number)
        raise Terminated

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)

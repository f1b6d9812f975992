"""Signals while training: SIGINT and SIGTERM ask the loop to stop at the next step, SIGUSR1 asks it to save.

A second SIGINT or SIGTERM stops at once.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Optional

from gluon_cbam.common.signals import STOP_SIGNALS, StopSignals

__all__ = ['STOP_SIGNALS', 'SignalHandler']

_SAVE_SIGNALS = (signal.SIGUSR1,)


class SignalHandler(StopSignals):
    """Notes a signal instead of ending the process, inside a ``with`` block.

    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        received: the number of the signal that asked to stop, or None.
        save: whether a signal asked to save; the training loop sets it to False after saving.
    """

    def __init__(self) -> None:
        super().__init__()
        self.save = False

    def pending(self) -> bool:
        """Whether a signal asked to stop or to save."""
        return self.save or self.received is not None

    def __enter__(self) -> SignalHandler:
        super().__enter__()
        self._handle(_SAVE_SIGNALS, self._on_save)
        return self

    def _on_save(self, number: int, frame: Optional[FrameType]) -> None:
        self.save = True

"""The time of a run: for training, for waiting for data, and for the rest, and the estimated time that remains."""

from __future__ import annotations

import time
from typing import Callable, Iterable, Iterator, NamedTuple, Optional


class Interval(NamedTuple):
    """Some steps of training.

    Attributes:
        steps: the steps that this process did.
        seconds: the time that they took, in seconds.
        waited: the share of this time, 0 to 1, in which the loop waited for data.
    """

    steps: int
    seconds: float
    waited: float


class Throughput:
    """Measures the time of a run from the moment it is made.

    Args:
        steps: the number of steps of the whole run.
        epochs: the number of epochs of the whole run.
        now: returns the time in seconds.
    """

    def __init__(self, steps: int, epochs: int, now: Callable[[], float] = time.perf_counter) -> None:
        self._steps, self._epochs, self._now = steps, epochs, now
        self._began = self._mark = now()
        self._waited, self._handed = 0.0, 0  # since the mark
        self._training, self._paused, self._steps_done = 0.0, 0.0, 0
        self._between, self._epochs_done = 0.0, 0

    @property
    def seconds(self) -> float:
        """Seconds since this object was made."""
        return self._now() - self._began

    def epoch(self, batches: Iterable) -> Iterator:
        """Wrap the batches of an epoch, one per step, and count the time that it takes to get them as waiting.

        The time since the last interval is counted as validation and saving.
        """
        if self._steps_done:
            self._between += self._now() - self._mark
            self._epochs_done += 1
        self._restart()
        batches = iter(batches)
        while True:
            began = self._now()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self._waited += self._now() - began
            self._handed += 1
            yield batch

    def _restart(self) -> None:
        self._mark, self._waited, self._handed = self._now(), 0.0, 0

    def interval(self) -> Interval:
        """End an interval: the steps since the last, or since the epoch began."""
        seconds = max(self._now() - self._mark, 1e-9)
        interval = Interval(self._handed, seconds, min(self._waited / seconds, 1.0))
        self._training += seconds
        self._steps_done += self._handed
        self._restart()
        return interval

    def pause(self) -> None:
        """Leave the time since the last interval out of the next: it was spent on a validation within the epoch."""
        self._paused += self._now() - self._mark
        self._restart()

    def remaining(self, step: int, epoch: int) -> Optional[float]:
        """Seconds to the end of the run, at the speed and with the pauses so far; None before the first interval.

        Args:
            step: steps done, in all sessions.
            epoch: epochs done, in all sessions.
        """
        if not self._steps_done:
            return None
        between = self._between / self._epochs_done if self._epochs_done else 0.0
        a_step = (self._training + self._paused) / self._steps_done
        return (self._steps - step) * a_step + (self._epochs - epoch) * between


def duration(seconds: Optional[float]) -> str:
    """Seconds, human-readable: 4:05, 2:10:33, 3 d 4:00:00; a dash for None."""
    if seconds is None:
        return '-'
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f'{hours}:{minutes:02d}:{rest:02d}' if hours or days else f'{minutes}:{rest:02d}'
    return f'{days} d {clock}' if days else clock

"""Interleaved timing of several calls, summarized as percentiles. Imports the standard library only."""

from __future__ import annotations

import statistics
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence, TypeVar

Key = TypeVar('Key')

SPIN_DOWN_SECONDS = 0.06
"""Pause after which ONNX Runtime's threads sleep, in seconds.

They spin for 40 ms after a call (``session.intra_op.allow_spinning``), which would slow down the next measurement."""


class Timing(NamedTuple):
    """Percentiles of the repetitions of a call, in milliseconds.

    Attributes:
        min: the shortest repetition.
        p5: the 5th percentile, interpolated linearly, as ``numpy.percentile`` does.
        median: the 50th percentile.
        p95: the 95th percentile.
    """

    min: float
    p5: float
    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float], scale: float = 1.0) -> Timing:
        """Summarize repetitions.

        Args:
            seconds: duration of each repetition, at least one.
            scale: factor for each duration, for instance 1 / batches for the time of a batch if a repetition is an
                epoch.

        Returns:
            The percentiles in milliseconds.
        """
        times = [1000 * scale * each for each in seconds]
        parts = statistics.quantiles(times, n=20, method='inclusive') if len(times) > 1 else times
        return cls(min(times), parts[0], statistics.median(times), parts[-1])


def timed(call: Callable[[], Any]) -> Callable[[], float]:
    """Wrap a synchronous call as a repetition of :func:`interleaved`.

    Args:
        call: returns when its work is done.

    Returns:
        A function that makes the call and returns its duration in seconds.
    """

    def once() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return once


def interleaved(
    repeat: Dict[Key, Callable[[], float]],
    repetitions: int,
    warm_up: int,
    progress: Callable[[Iterable[int], int], Iterable[int]] = lambda rounds, total: rounds,
    seconds: float = 0.0,
    rest: float = 0.0,
) -> Dict[Key, List[float]]:
    """Repeat several calls in turn: a round has one repetition of each, so that drift of the machine affects all alike.

    Args:
        repeat: name -> function that makes one repetition and returns its duration in seconds.
        repetitions: minimum number of rounds that are measured.
        warm_up: number of rounds before them that are not measured.
        progress: wraps the rounds, called with (rounds, number of rounds), for a progress bar.
        seconds: minimum total duration of the measured rounds; default 0: exactly ``repetitions`` rounds.
        rest: seconds to sleep after each repetition, for instance :data:`SPIN_DOWN_SECONDS`; default 0.

    Returns:
        Name -> duration of each repetition in seconds.
    """
    taken: Dict[Key, List[float]] = {name: [] for name in repeat}

    def run_round(measured: bool) -> None:
        for name, one in repeat.items():
            took = one()
            time.sleep(rest)
            if measured:
                taken[name].append(took)

    began = time.perf_counter()
    for number in progress(range(warm_up + repetitions), warm_up + repetitions):
        began = time.perf_counter() if number == warm_up else began
        run_round(number >= warm_up)
    while time.perf_counter() - began < seconds:
        run_round(True)
    return taken

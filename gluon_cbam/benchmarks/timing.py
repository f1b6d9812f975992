"""Repetitions and what is made of them. Standard library only."""

from __future__ import annotations

import statistics
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence, TypeVar

Key = TypeVar('Key')


RESTED = 0.06
"""Seconds after a call in which ONNX Runtime's threads have gone to sleep: they wait actively for 40 ms before."""


class Subject(NamedTuple):
    """Something that can be done again and again.

    Attributes:
        images: that a call works on.
        call: does it, or queues it.
        wait: returns when all that was queued is done.
        device: what does it.
        details: further facts about it, for JSON.
    """

    images: int
    call: Callable[[], Any]
    wait: Callable[[], Any]
    device: str
    details: Dict[str, Any] = {}


class Timing(NamedTuple):
    """Milliseconds of the repetitions of something.

    Attributes:
        min: the least.
        median: half of them took less.
        p95: 95 % of them took less, linear between the nearest two.
    """

    min: float
    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float], part: float = 1.0) -> Timing:
        """That of repetitions.

        Args:
            seconds: of each, at least one.
            part: of a repetition that is meant, for instance a batch of a pass.
        """
        times = [1000 * part * each for each in seconds]
        high = statistics.quantiles(times, n=20, method='inclusive')[-1] if len(times) > 1 else times[0]
        return cls(min(times), statistics.median(times), high)


def repetition(subject: Subject, calls: int = 1, now: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a call, over several: one wait at the end, so that calls may overlap as they do in use.

    Args:
        subject: what is measured; what it queued before is not counted.
        calls: of the repetition.
        now: the time in seconds.
    """
    subject.wait()
    began = now()
    for _ in range(calls):
        subject.call()
    subject.wait()
    return (now() - began) / calls


def timed(call: Callable[[], Any]) -> Callable[[], float]:
    """Something that waits for its own end, as a repetition of :func:`interleaved`."""

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
    """Repetitions of several things in turn: each round has one of each.

    Args:
        repeat: name -> does one repetition and returns its seconds.
        repetitions: of each that count, at least.
        warm_up: rounds before them that do not.
        progress: wraps the rounds, (rounds, how many).
        seconds: that the rounds after the warm-up take together, at least.
        rest: seconds of sleep after each repetition, where threads of one side would go on waiting actively and take
            cores from the next one.

    Returns:
        Name -> seconds of each repetition.
    """
    taken: Dict[Key, List[float]] = {name: [] for name in repeat}

    def go_round(counts: bool) -> None:
        for name, one in repeat.items():
            took = one()
            time.sleep(rest)
            if counts:
                taken[name].append(took)

    began = time.perf_counter()
    for number in progress(range(warm_up + repetitions), warm_up + repetitions):
        began = time.perf_counter() if number == warm_up else began
        go_round(number >= warm_up)
    while time.perf_counter() - began < seconds:
        go_round(True)
    return taken

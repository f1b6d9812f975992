"""What a benchmark repeats, and how long a repetition takes. Standard library only."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, NamedTuple


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

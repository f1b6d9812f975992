"""A workload, and the time of one repetition of it. Imports the standard library only."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, NamedTuple


class Workload(NamedTuple):
    """Work that can be repeated.

    Attributes:
        images: number of images that a call processes.
        call: does the work, or queues it.
        wait: blocks until all queued work is done.
        device: name of the device.
        details: further facts for JSON.
    """

    images: int
    call: Callable[[], Any]
    wait: Callable[[], Any]
    device: str
    details: Dict[str, Any] = {}


def repetition(workload: Workload, calls: int = 1, now: Callable[[], float] = time.perf_counter) -> float:
    """Make one repetition: several calls, and one wait at the end, so that calls may overlap as they do in use.

    Args:
        workload: what is measured; work that it queued before does not count.
        calls: number of calls.
        now: a clock, in seconds.

    Returns:
        Seconds of a call, the mean of the repetition.
    """
    workload.wait()
    began = now()
    for _ in range(calls):
        workload.call()
    workload.wait()
    return (now() - began) / calls

"""The interface of a workload, and the timing of a repetition. Imports the standard library only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, NamedTuple, Optional

if TYPE_CHECKING:
    import numpy as np


class Workload(NamedTuple):
    """A unit of work that can be repeated.

    Attributes:
        images: number of images that a call processes.
        call: does the work, or queues it.
        wait: blocks until all queued work is done.
        device: name of the device.
        details: further facts for the report, as values for JSON.
        outputs: computes the outputs of a call, (N, ...) float32, to compare them; None where they cannot be compared.
        tolerance: the largest difference of outputs from ours that is accepted, relative to the largest output; default
            that of the precision of the context, on GPUs of TF32 at least.
    """

    images: int
    call: Callable[[], Any]
    wait: Callable[[], Any]
    device: str
    details: Dict[str, Any] = {}
    outputs: Optional[Callable[[], np.ndarray]] = None
    tolerance: Optional[float] = None


def repetition(workload: Workload, calls: int = 1, now: Callable[[], float] = time.perf_counter) -> float:
    """Run one repetition: several calls and a single wait at the end, so that calls overlap as in production.

    Args:
        workload: the workload; work that was queued before does not count.
        calls: number of calls.
        now: returns the current time in seconds.

    Returns:
        Mean duration of a call in seconds.
    """
    workload.wait()
    began = now()
    for _ in range(calls):
        workload.call()
    workload.wait()
    return (now() - began) / calls

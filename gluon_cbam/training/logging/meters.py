"""Loss and accuracy while training, read from the devices once an interval."""

from __future__ import annotations

from typing import List, NamedTuple

import mxnet as mx
import numpy as np

from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.loop.step import StepResult


class Reading(NamedTuple):
    """What the steps since the last reading gave, over all devices and processes.

    Attributes:
        losses: (steps,) float64, summed over the images of each step.
        hits: (steps,) float64.
    """

    losses: np.ndarray
    hits: np.ndarray


class Meters:
    """Keeps what steps leave on the devices until somebody wants to know.

    Args:
        process_group: the processes, over which readings are summed.
    """

    def __init__(self, process_group: ProcessGroup):
        self._process_group = process_group
        self._pending: List[StepResult] = []

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, result: StepResult) -> None:
        """Keep a step."""
        self._pending.append(result)

    def read(self) -> Reading:
        """Wait for the devices and read: the only place of the training loop that does so."""
        columns = (
            sum(mx.nd.concat(*device, dim=0).asnumpy().astype(float) for device in zip(*column))
            for column in zip(*self._pending)
        )
        reading = Reading(*self._process_group.sum(np.stack(list(columns))))
        self._pending.clear()
        return reading

"""The statistics of training steps, read from the devices once per log interval."""

from __future__ import annotations

from typing import List

import mxnet as mx
import numpy as np

from gluon_cbam.tasks.protocols import ProcessGroup


class Meters:
    """Keeps the statistics of steps on the devices until they are read.

    Attributes:
        steps: the number of each step that was not read yet.

    Args:
        process_group: the processes over which readings are summed.
    """

    def __init__(self, process_group: ProcessGroup) -> None:
        self._process_group = process_group
        self.steps: List[int] = []
        self._pending: List[List[List[mx.nd.NDArray]]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, sums: List[List[mx.nd.NDArray]], step: int) -> None:
        """Keep the sums of a step.

        Args:
            sums: for each statistic of the task, a (1,) array on each device.
            step: the number of the step.
        """
        self._pending.append(sums)
        self.steps.append(step)

    def read(self) -> np.ndarray:
        """Wait for the devices and read the sums. The training loop waits for the devices nowhere else.

        Returns:
            (statistics, steps) float64: the sums of each step since the last reading, over all devices and processes.
        """
        statistics = (
            sum(mx.nd.concat(*sums, dim=0).asnumpy().astype(float) for sums in zip(*steps))
            for steps in zip(*self._pending)
        )
        reading = self._process_group.sum(np.stack(list(statistics)))
        self._pending.clear()
        self.steps.clear()
        return reading

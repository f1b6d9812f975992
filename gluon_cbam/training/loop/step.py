"""One training step, from batches to updated weights: read :meth:`TrainStep.__call__`."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

import mxnet as mx

from gluon_cbam.tasks.objective import Objective
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.parameters.selection import named

from .random_state import RandomState

Sums = List[List[mx.nd.NDArray]]
"""For each statistic of a task, a (1,) array on each device."""


class StepResult(NamedTuple):
    """The result of a step, which may still be computed on the devices.

    Attributes:
        sums: the sums of the task's statistics over the images of each device, see :data:`Sums`.
        updated: whether the weights were updated; they are not where gradients overflowed in float16.
    """

    sums: Sums
    updated: bool

    def wait(self) -> None:
        """Wait until the devices have done the step."""
        self.sums[0][0].wait_to_read()


class TrainStep:
    """A step of training, queued on the devices.

    Args:
        net: the network, hybridized and initialized on every context.
        objective: the task's loss and statistics.
        ctx: the devices.
        optimization: updates the weights.
        accumulate: batches of a step, whose gradients are added.
        random: seeds the random numbers of each step; None to seed nothing.
    """

    def __init__(
        self,
        net: mx.gluon.HybridBlock,
        objective: Objective,
        ctx: List[mx.Context],
        optimization: Optimization,
        accumulate: int = 1,
        random: Optional[RandomState] = None,
    ) -> None:
        self._net, self._objective, self._ctx = net, objective, ctx
        self._optimization, self._random = optimization, random
        self._accumulated = []
        if accumulate > 1:
            self._accumulated = [parameter for parameter in named(net).values() if parameter.grad_req != 'null']
            for parameter in self._accumulated:
                parameter.grad_req = 'add'

    def __call__(self, batches: Sequence[Sequence[mx.nd.NDArray]], number: int) -> StepResult:
        """Train one step.

        Args:
            batches: batches of the task, as many as a step accumulates; every array has one row per image.
            number: the number of the step, from 0.
        """
        if self._random:
            self._random.begin(number)
        sums = self.backward(batches, number)
        return StepResult(sums, self._optimization.update(number))

    def backward(self, batches: Sequence[Sequence[mx.nd.NDArray]], number: int) -> Sums:
        """Compute the gradients, summed over the images of each device in all batches; see :meth:`__call__`."""
        for parameter in self._accumulated:
            parameter.zero_grad()
        results = [self._backward(batch, number, index) for index, batch in enumerate(batches)]
        return [[mx.nd.add_n(*sums) for sums in zip(*devices)] for devices in zip(*results)]

    def _backward(self, batch: Sequence[mx.nd.NDArray], number: int, index: int) -> Sums:
        """Forward and backward of one batch, split over the devices."""
        arrays = [mx.gluon.utils.split_and_load(array, self._ctx) for array in batch]
        parts = [type(batch)._make(part) for part in zip(*arrays)]  # type: ignore[attr-defined]
        inputs = self._objective.prepare(parts, number, index)
        scale = self._optimization.loss_scale
        with mx.autograd.record():
            losses, outputs = zip(*self._objective.losses(self._net, inputs))
            penalties = [self._net.penalty(context) for context in self._ctx]
            # gradients are divided by all images of the step: a device adds the penalty once for each of its images
            terms = [len(part[0]) * penalty for part, penalty in zip(parts, penalties) if penalty is not None]
            heads = [*losses, *terms] if scale == 1 else [scale * term for term in (*losses, *terms)]
        mx.autograd.backward(heads)
        return [list(sums) for sums in zip(*map(self._objective.statistics, inputs, losses, outputs))]

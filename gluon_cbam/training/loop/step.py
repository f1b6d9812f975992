"""One training step, from batches to updated weights: read :meth:`TrainStep.__call__`."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx

from gluon_cbam.tasks.objective import Objective
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.parameters.selection import named
from gluon_cbam.training.sharding.loss import ShardedLoss

from .random_state import RandomState

Sums = List[List[mx.nd.NDArray]]
"""For each statistic of a task, a (1,) array on each device."""

_Losses = Tuple[Sequence[mx.nd.NDArray], Sequence[Any]]  # the losses of the images of each device, and its outputs


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
        sharded: the loss of the objective's sharded head, if it has one.
    """

    def __init__(
        self,
        net: mx.gluon.HybridBlock,
        objective: Objective,
        ctx: List[mx.Context],
        optimization: Optimization,
        accumulate: int = 1,
        random: Optional[RandomState] = None,
        sharded: Optional[ShardedLoss] = None,
    ) -> None:
        self._net, self._objective, self._ctx = net, objective, ctx
        self._optimization, self._random, self._sharded = optimization, random, sharded
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
        if self._sharded:
            self._sharded.weight.begin_step()
        inputs = self._objective.prepare_step(map(self._split, batches), number)
        images = [len(batches[0][0]) // len(self._ctx)] * len(self._ctx)
        results = [self._backward(batch, images, number, index) for index, batch in enumerate(inputs)]
        return [[mx.nd.add_n(*sums) for sums in zip(*devices)] for devices in zip(*results)]

    def _split(self, batch: Sequence[mx.nd.NDArray]) -> Sequence[Any]:
        """The part of a batch for each device, on that device."""
        arrays = [mx.gluon.utils.split_and_load(array, self._ctx) for array in batch]
        return [type(batch)._make(part) for part in zip(*arrays)]  # type: ignore[attr-defined]

    def _backward(self, inputs: Sequence[Any], images: Sequence[int], number: int, index: int) -> Sums:
        """Forward and backward of one batch, from the inputs and the number of images of each device."""
        if self._sharded is None:
            losses, outputs = self._whole(inputs, images)
        else:
            losses, outputs = self._over_shards(self._sharded, inputs, images, number, index)
        return [list(sums) for sums in zip(*map(self._objective.statistics, inputs, losses, outputs))]

    def _whole(self, inputs: Sequence[Any], images: Sequence[int]) -> _Losses:
        """Losses and outputs of each device, which computes its own; and the backward pass."""
        scale = self._optimization.loss_scale
        with mx.autograd.record():
            losses, outputs = zip(*self._objective.losses(self._net, inputs))
            terms = self._penalties(images)
            heads = [*losses, *terms] if scale == 1 else [scale * term for term in (*losses, *terms)]
        mx.autograd.backward(heads)
        return losses, outputs

    def _over_shards(
        self, sharded: ShardedLoss, inputs: Sequence[Any], images: Sequence[int], number: int, index: int
    ) -> _Losses:
        """Losses and outputs of each device, computed by all of them together; and the backward pass."""
        scale = self._optimization.loss_scale
        with mx.autograd.record():
            embeddings, labels = zip(*(self._objective.embed(self._net, part) for part in inputs))
            own = [sharded.weight.head.penalty(array) for array in embeddings]
            terms = [*(penalty for penalty in own if penalty is not None), *self._penalties(images)]
            terms = [scale * term for term in terms]
        losses, outputs, gradients = sharded(embeddings, labels, number, index, scale)
        mx.autograd.backward([*embeddings, *terms], [*gradients, *([None] * len(terms))])
        return [loss if more is None else loss + more for loss, more in zip(losses, own)], outputs

    def _penalties(self, images: Sequence[int]) -> List[mx.nd.NDArray]:
        """The penalty of the network on each device, if it has one.

        Gradients are divided by all images of the step: a device adds the penalty once for each of its images.
        """
        penalties = [self._net.penalty(context) for context in self._ctx]
        return [count * penalty for count, penalty in zip(images, penalties) if penalty is not None]

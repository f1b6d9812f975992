"""Forward and backward over the devices."""

from __future__ import annotations

from typing import List, NamedTuple

import mxnet as mx

from ..data.preprocessing import Preprocessing
from ..data.training import Batch, Normalise
from .config import TrainConfig
from .loss import SmoothedCrossEntropy


class StepResult(NamedTuple):
    """What a step leaves on each device, not waited for.

    Attributes:
        losses: (images of the device,) each.
        hits: (1,) each: how many outputs are largest at the label.
    """

    losses: List[mx.nd.NDArray]
    hits: List[mx.nd.NDArray]

    def wait(self) -> None:
        """Wait until the devices have done the step."""
        self.losses[0].wait_to_read()


class Step:
    """Forward and backward of a batch, queued on the devices.

    Args:
        net: hybridized, initialised on every context.
        config: of the loss.
        ctx: the devices.
        preprocessing: normalises the images, on the devices.
    """

    def __init__(self, net, config: TrainConfig, ctx: List[mx.Context], preprocessing: Preprocessing):
        self._net, self._ctx = net, ctx
        self._normalise = Normalise(preprocessing)
        self._normalise.hybridize(static_alloc=True, static_shape=True)
        self._loss = SmoothedCrossEntropy(config.label_smoothing)
        self._loss.hybridize(static_alloc=True, static_shape=True)

    def __call__(self, batch: Batch) -> StepResult:
        """Leave gradients, summed over the images of each device."""
        images = [self._normalise(part) for part in mx.gluon.utils.split_and_load(batch.images, self._ctx)]
        labels = mx.gluon.utils.split_and_load(batch.labels, self._ctx)
        with mx.autograd.record():
            outputs = [self._net(part) for part in images]
            losses = [self._loss(output, label) for output, label in zip(outputs, labels)]
            penalties = [self._net.penalty(context) for context in self._ctx]
            # the gradient is divided by the batch over all devices: each device's share of the penalty is its images'
            terms = [len(part) * penalty for part, penalty in zip(images, penalties) if penalty is not None]
        mx.autograd.backward([*losses, *terms])
        hits = [(output.argmax(axis=1) == label).sum() for output, label in zip(outputs, labels)]
        return StepResult(losses, hits)

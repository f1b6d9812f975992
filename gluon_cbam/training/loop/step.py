"""Forward and backward over the devices."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Sequence

import mxnet as mx

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.parameters.selection import named

from .mixup import Mix, Mixing


class StepResult(NamedTuple):
    """What a step leaves on each device, not waited for.

    Attributes:
        losses: (1,) each, summed over the images of the device.
        hits: (1,) each: how many outputs are largest at the label; of mixed images, at the label with the larger share.
    """

    losses: List[mx.nd.NDArray]
    hits: List[mx.nd.NDArray]

    def wait(self) -> None:
        """Wait until the devices have done the step."""
        self.losses[0].wait_to_read()


class Step:
    """Forward and backward of one or more batches, queued on the devices.

    Args:
        net: hybridized, initialised on every context.
        config: of the loss, the mixing and how many batches a step accumulates.
        ctx: the devices.
        preprocessing: normalises the images, on the devices.
        rank: of the process.
        loss_scale: what the loss of the next step is multiplied by.
    """

    def __init__(
        self,
        net: mx.gluon.HybridBlock,
        config: TrainConfig,
        ctx: List[mx.Context],
        preprocessing: Preprocessing,
        rank: int = 0,
        loss_scale: Callable[[], float] = lambda: 1.0,
    ):
        self._net, self._ctx, self._loss_scale = net, ctx, loss_scale
        self._normalise = Normalize(preprocessing)
        self._normalise.hybridize(static_alloc=True, static_shape=True)
        self._loss = SmoothedCrossEntropy(config.label_smoothing)
        self._loss.hybridize(static_alloc=True, static_shape=True)
        self._mixing = Mixing(config.mixup, config.cutmix, config.image_size, config.seed, rank)
        self._added = []
        if config.accumulate > 1:
            self._added = [parameter for parameter in named(net).values() if parameter.grad_req != 'null']
            for parameter in self._added:
                parameter.grad_req = 'add'

    def __call__(self, batches: Sequence[Batch], number: int) -> StepResult:
        """Leave gradients, summed over the images of each device in all batches.

        Args:
            batches: as many as a step accumulates.
            number: of the step, from 0.
        """
        for parameter in self._added:
            parameter.zero_grad()
        results = [self._one(batch, self._mixing(number, index)) for index, batch in enumerate(batches)]
        return StepResult(*([mx.nd.add_n(*device) for device in zip(*column)] for column in zip(*results)))

    def _one(self, batch: Batch, mix: Mix) -> StepResult:
        images = [mix.images(self._normalise(part)) for part in mx.gluon.utils.split_and_load(batch.images, self._ctx)]
        labels = mx.gluon.utils.split_and_load(batch.labels, self._ctx)
        scale = self._loss_scale()
        with mx.autograd.record():
            outputs = [self._net(part) for part in images]
            losses = [mix.loss(self._loss, output, label) for output, label in zip(outputs, labels)]
            penalties = [self._net.penalty(context) for context in self._ctx]
            # the gradient is divided by the batch over all devices: each device's share of the penalty is its images'
            terms = [len(part) * penalty for part, penalty in zip(images, penalties) if penalty is not None]
            heads = [*losses, *terms] if scale == 1 else [scale * term for term in (*losses, *terms)]
        mx.autograd.backward(heads)
        hits = [(output.argmax(axis=1) == mix.labels(label)).sum() for output, label in zip(outputs, labels)]
        return StepResult([loss.sum() for loss in losses], hits)

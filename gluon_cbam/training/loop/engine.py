"""The network of a run, and one step of training it."""

from __future__ import annotations

from typing import Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.loading.training import Batch
from gluon_cbam.training.optim import amp
from gluon_cbam.training.optim.lr_schedule import schedule
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.parameters.ema import ModelEma
from gluon_cbam.training.parameters.initialization import initialize

from .random_state import RandomState
from .setup import Setup
from .step import Step, StepResult


class Engine:
    """A network with what trains it.

    Attributes:
        net: initialised on every context, hybridized.
        rate: the learning rate of each step, from 0.
        average: the moving average of its parameters, or None.
        optimization: updates the weights.

    Args:
        setup: of the run.
    """

    def __init__(self, setup: Setup):
        config, ctx, process_group = setup.config, setup.ctx, setup.process_group
        mx.random.seed(config.seed)
        amp.enable(config.dtype)
        self.net = setup.net
        initialize(self.net, setup.model, ctx, config.zero_gamma)
        self.net.hybridize(static_alloc=True, static_shape=True)
        self.rate = schedule(config, setup.steps_per_epoch)
        self.average = ModelEma(self.net, setup.another_net(), config.ema, ctx) if config.ema else None
        steps = config.epochs * setup.steps_per_epoch
        self.optimization = Optimization(
            self.net, config, ctx, process_group, self.rate, steps, setup.images_per_step, self.average
        )
        self._random = RandomState(self.net, config.seed, process_group.rank)
        self._step = Step(
            self.net, config, ctx, setup.preprocessing, process_group.rank, lambda: self.optimization.loss_scale
        )

    def train_on(self, batches: Sequence[Batch], step: int) -> Tuple[StepResult, bool]:
        """Queue one step on the devices.

        Args:
            batches: as many as a step accumulates.
            step: its number, from 0.

        Returns:
            What is ready when it is done, and whether the weights were updated: not where float16 overflowed.
        """
        self._random.begin(step)
        result = self._step(batches, step)
        return result, self.optimization.update(step)

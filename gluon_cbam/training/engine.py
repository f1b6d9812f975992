"""The network of a run, and one step of training it."""

from __future__ import annotations

import mxnet as mx

from ..data.training import Batch
from .optimization import Optimization
from .randomness import RandomState
from .schedule import schedule
from .setup import Setup
from .step import Step, StepResult


class Engine:
    """A network with what trains it.

    Attributes:
        net: initialised on every context, hybridized.
        rate: the learning rate of each step, from 0.
        optimization: updates the weights.

    Args:
        setup: of the run.
    """

    def __init__(self, setup: Setup):
        config = setup.config
        mx.random.seed(config.seed)
        self.net = setup.net
        self.net.initialize(ctx=setup.ctx)
        self.net.hybridize(static_alloc=True, static_shape=True)
        self._random = RandomState(self.net, config.seed, setup.workers.rank)
        self._step = Step(self.net, config, setup.ctx, setup.preprocessing)
        self.rate = schedule(config, setup.steps_per_epoch)
        self.optimization = Optimization(self.net, config, setup.ctx, setup.workers, self.rate, setup.images_per_step)

    def train_on(self, batch: Batch, step: int) -> StepResult:
        """Queue one step on the devices; returns what is ready when it is done."""
        self._random.begin(step)
        result = self._step(batch)
        self.optimization.update(step)
        return result

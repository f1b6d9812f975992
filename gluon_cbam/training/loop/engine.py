"""The network of a run with its optimizer and training step."""

from __future__ import annotations

from typing import Callable, Dict, Optional

import mxnet as mx

from gluon_cbam.training.optim import amp
from gluon_cbam.training.optim.lr_schedule import schedule
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.parameters.ema import ModelEma
from gluon_cbam.training.parameters.initialization import initialize
from gluon_cbam.training.parameters.loss_head import LossHead, NetworkWithHead
from gluon_cbam.training.parameters.stateful import Stateful
from gluon_cbam.training.setup import Setup

from .random_state import RandomState
from .step import TrainStep


class Engine:
    """A network with its first parameters, its optimizer and its training step.

    Attributes:
        net: the network, initialized on every context and hybridized.
        rate: function from a step, from 0, to its learning rate.
        average: the moving average of its parameters, or None.
        head: the parameters of the loss, or None for a loss without parameters.
        optimization: updates the weights.
        objective: the loss.
        step: trains a step: ``step(batches, number)``.

    Args:
        setup: the setup of the run.
        rate: function from a step to its learning rate; default the schedule of the run.
    """

    def __init__(self, setup: Setup, rate: Optional[Callable[[int], float]] = None) -> None:
        config, ctx, process_group = setup.config, setup.ctx, setup.process_group
        mx.random.seed(config.seed)
        amp.enable(config.dtype)
        self.net = setup.net
        initialize(self.net, setup.model, ctx, config.zero_gamma)
        self.net.hybridize(static_alloc=True, static_shape=True)
        self.rate = rate or schedule(config, setup.steps_per_epoch)
        self.average = ModelEma(self.net, setup.another_net(), config.ema, ctx) if config.ema else None
        self.objective = objective = setup.task.objective(
            config.as_dict(), setup.preprocessing, process_group.rank, setup.data.records
        )
        self.head = LossHead(objective.head, ctx) if objective.head is not None else None
        trained = NetworkWithHead(self.net, self.head.head) if self.head else self.net
        steps = config.epochs * setup.steps_per_epoch
        self.optimization = Optimization(
            trained, config, ctx, process_group, self.rate, steps, setup.images_per_step, self.average
        )
        random = RandomState(self.net, config.seed, process_group.rank, objective.head)
        self.step = TrainStep(trained, objective, ctx, self.optimization, config.accumulate, random)

    def parts(self) -> Dict[str, Stateful]:
        """Everything that training changes, except the network, by name, for checkpoints."""
        head: Dict[str, Stateful] = {'head': self.head} if self.head else {}
        return {**self.optimization.parts(), **head}

    @property
    def validated_net(self) -> mx.gluon.HybridBlock:
        """The network that is validated, and kept as the best: the moving average, if there is one."""
        return self.average.network() if self.average else self.net

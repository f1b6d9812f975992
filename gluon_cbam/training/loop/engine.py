"""The network of a run with its optimizer and training step."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.training.optim import amp
from gluon_cbam.training.optim.lr_schedule import schedule
from gluon_cbam.training.optim.shards import ShardedOptimizer
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.parameters.batch_norm import synchronize_statistics
from gluon_cbam.training.parameters.device_statistics import DeviceStatistics
from gluon_cbam.training.parameters.ema import ModelEma
from gluon_cbam.training.parameters.initialization import initialize
from gluon_cbam.training.parameters.loss_head import LossHead, NetworkWithHead
from gluon_cbam.training.parameters.stateful import Stateful
from gluon_cbam.training.setup import Setup
from gluon_cbam.training.sharding.exchange import Exchange
from gluon_cbam.training.sharding.loss import ShardedLoss
from gluon_cbam.training.sharding.row_table import RowTable
from gluon_cbam.training.sharding.weight import ShardedWeight

from .random_state import RandomState
from .step import TrainStep


class Engine:
    """A network with its first parameters, its optimizer and its training step.

    Attributes:
        net: the network, initialized on every context and hybridized.
        rate: function from a step, from 0, to its learning rate.
        average: the moving average of its parameters, or None.
        head: the parameters of the loss, or None for a loss without parameters.
        sharded: the loss of a sharded head, or None.
        optimization: updates the weights.
        objective: the loss.
        step: trains a step: ``step(batches, number)``.

    Args:
        setup: the setup of the run.
        rate: function from a step to its learning rate; default the schedule of the run.
    """

    def __init__(self, setup: Setup, rate: Optional[Callable[[int], float]] = None) -> None:
        config, ctx, process_group = setup.config, setup.ctx, setup.process_group
        self._process_group, self._devices = process_group, len(ctx)
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
        objective.join(process_group)
        if setup.teacher is not None:
            objective.learn_from(setup.teacher)
        self.head = LossHead(objective.head, ctx) if objective.head is not None else None
        trained = NetworkWithHead(self.net, self.head.head) if self.head else self.net
        steps = config.epochs * setup.steps_per_epoch
        exchange = Exchange(ctx, process_group)
        self.sharded = _sharded_loss(objective, setup, exchange)
        self._shards = ShardedOptimizer(self.sharded.weight, exchange, config) if self.sharded else None
        self.optimization = Optimization(
            trained, config, ctx, process_group, self.rate, steps, setup.images_per_step, self.average, self._shards
        )
        random = RandomState(self.net, config.seed, process_group.rank, objective.head)
        self.step = TrainStep(trained, objective, ctx, self.optimization, config.accumulate, random, self.sharded)

    def parts(self) -> Dict[str, Stateful]:
        """Everything that training changes, except the network, by name, for checkpoints."""
        moving = self.sharded if self.sharded and self.sharded.arrays() else None
        parts: Dict[str, Optional[Stateful]] = {
            'head': self.head, 'moving_statistics': moving, 'shards': self._shards,
        }  # fmt: skip
        if self._process_group.size == 1:  # several processes share one mean before each save
            parts['device_statistics'] = DeviceStatistics(self._averaged_nets(), self._devices)
        return {**self.optimization.parts(), **{name: part for name, part in parts.items() if part}}

    def tables(self) -> Dict[str, RowTable]:
        """What training changes that no process has as a whole, by name, for checkpoints."""
        if self.sharded is None or self._shards is None:
            return {}
        return {**self.sharded.weight.tables(), **self._shards.tables()}

    @property
    def validated_net(self) -> mx.gluon.HybridBlock:
        """The network that is validated, and kept as the best: the moving average, if there is one."""
        return self.average.net if self.average else self.net

    def synchronize(self) -> None:
        """Set BatchNorm's running statistics on every device of every process to their mean, as a checkpoint has it."""
        synchronize_statistics(*self._averaged_nets(), process_group=self._process_group)

    def _averaged_nets(self) -> List[mx.gluon.HybridBlock]:
        """The networks with running statistics of each device, which a checkpoint has the mean of."""
        return [self.net, self.average.net] if self.average else [self.net]


def _sharded_loss(objective: Objective, setup: Setup, exchange: Exchange) -> Optional[ShardedLoss]:
    """The loss of the objective's sharded head, with its first parameters; None for an objective without one."""
    if objective.sharded is None:
        return None
    config, process_group = setup.config, setup.process_group
    if process_group.servers_update:
        raise UsageError(
            f'--kv-store {config.kv_store}: a sharded head needs processes that step together: take dist_sync, or '
            '--no-sharded'
        )
    weight = ShardedWeight(
        objective.sharded, setup.ctx, process_group, config.seed, setup.data.batch_size, config.accumulate > 1
    )
    return ShardedLoss(weight, exchange)

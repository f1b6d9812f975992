"""The optimizer of a sharded head: every device updates the rows that it has."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import mxnet as mx

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.sharding.exchange import Exchange
from gluon_cbam.training.sharding.row_table import RowTable
from gluon_cbam.training.sharding.weight import Shard, ShardedWeight

from .optimizers import create_optimizer
from .state import flat

_UPDATES = 'updates'
_WHOLE = ('lamb', 'lars')  # they scale updates by the norm of the whole parameter


class ShardedOptimizer:
    """Updates the shards of this process by the optimizer of the run.

    Where a step takes a sample of the classes, only their rows and their state change: neither momentum nor weight
    decay moves the others, as in ``recognition/arcface_torch/partial_fc.py`` of deepinsight/insightface.

    Args:
        weight: the shards.
        exchange: exchanges arrays between the devices of all processes.
        config: ``optimizer`` and its settings, and ``accumulate``.

    Raises:
        UsageError: the optimizer needs parameters as a whole; or samples cannot be accumulated.
    """

    def __init__(self, weight: ShardedWeight, exchange: Exchange, config: TrainConfig) -> None:
        if config.optimizer in _WHOLE:
            raise UsageError(
                f'--optimizer {config.optimizer} scales by the norm of a whole parameter, which no device has of a '
                'sharded head: take sgd, nag or adamw, or --no-sharded'
            )
        if config.accumulate > 1 and any(shard.sampled for shard in weight.shards):
            raise UsageError(
                f'--accumulate {config.accumulate}: a sample of the classes is that of one batch: leave out '
                '--accumulate or --sample-rate'
            )
        self._weight, self._exchange = weight, exchange
        self._devices = [_Device(shard, weight, config) for shard in weight.shards]

    def square_norm(self) -> mx.nd.NDArray:
        """The squared norm of the gradients of all shards of all processes, (1,), on the first device."""
        squares = []
        for shard in self._weight.shards:
            flat_gradients = [array.grad.reshape((-1,)) for array in shard.active.values()]
            squares.append(mx.nd.add_n(*(mx.nd.dot(array, array) for array in flat_gradients)))
        return self._exchange.sum('norm', squares)[0]

    def gradients(self, context: mx.Context) -> List[mx.nd.NDArray]:
        """The gradients on a device."""
        return [
            array.grad for shard in self._weight.shards if shard.context == context for array in shard.active.values()
        ]

    def update(self, rate: float, divisor: float) -> None:
        """Queue the update of every shard.

        Args:
            rate: the learning rate.
            divisor: gradients are divided by it.
        """
        for device in self._devices:
            device.update(rate, divisor)

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The number of updates; the rows are in :meth:`tables`."""
        return {_UPDATES: mx.nd.array([self._devices[0].optimizer.num_update], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore what :meth:`arrays` returned.

        Raises:
            DataError: it is missing.
        """
        if _UPDATES not in arrays:
            raise DataError('the optimizer state of the loss head has no number of updates')
        for device in self._devices:
            device.optimizer.begin_num_update = device.optimizer.num_update = int(arrays[_UPDATES].asscalar())

    def tables(self) -> Dict[str, RowTable]:
        """The state with rows for every class: ``parameter.number`` -> table, for checkpoints."""
        states = [device.states for device in self._devices]
        return {
            f'{name}.{number}': self._weight.table([of_device[name][number] for of_device in states])
            for name in states[0]
            for number in range(len(states[0][name]))
        }


class _Device:
    """The optimizer of one shard.

    Attributes:
        optimizer: MXNet's.
        states: name of a parameter -> its state, arrays of (rows, width).
    """

    def __init__(self, shard: Shard, weight: ShardedWeight, config: TrainConfig) -> None:
        self._shard, parameters = shard, weight.head.parameters
        self.optimizer = create_optimizer(config, parameters)
        self.optimizer.lr_mult = {number: row.lr_mult for number, row in enumerate(parameters.values())}
        self.optimizer.wd_mult = {number: row.wd_mult for number, row in enumerate(parameters.values())}
        self._updater = mx.optimizer.get_updater(self.optimizer)
        self.states: Dict[str, List[mx.nd.NDArray]] = {}
        for number, name in enumerate(parameters):
            self.states[name], state = self._create(number, name)
            self._updater.states[number], self._updater.states_synced[number] = state, True

    def _create(self, number: int, name: str) -> Tuple[List[mx.nd.NDArray], Any]:
        """The state of all rows, and that of the active ones, which the optimizer takes."""
        active = self.optimizer.create_state_multi_precision(number, self._shard.active[name])
        if not self._shard.sampled:
            return flat(active), active
        return [mx.nd.zeros_like(self._shard.values[name]) for _ in flat(active)], active

    def update(self, rate: float, divisor: float) -> None:
        """Queue the update of the active rows."""
        self.optimizer.set_learning_rate(rate)
        self.optimizer.rescale_grad = 1 / divisor
        for number, (name, weight) in enumerate(self._shard.active.items()):
            pairs = list(zip(self.states[name], flat(self._updater.states[number]))) if self._shard.sampled else []
            for values, active in pairs:
                self._shard.load(values, active)
            self._step(number, weight)
            for values, active in [*pairs, *([(self._shard.values[name], weight)] if self._shard.sampled else [])]:
                self._shard.store(active, values)

    def _step(self, number: int, weight: mx.nd.NDArray) -> None:
        several = self.optimizer.aggregate_num > 0  # such optimizers take lists
        arguments = number, weight.grad, weight
        self._updater(*([argument] for argument in arguments) if several else arguments)

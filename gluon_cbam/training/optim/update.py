"""The update of the weights: gradients are summed over devices, checked, clipped and applied; the EMA follows."""

from __future__ import annotations

import logging
import math
from typing import Callable, Dict, List, Optional

import mxnet as mx
from mxnet.gluon.utils import clip_global_norm

from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.parameters.ema import ModelEma
from gluon_cbam.training.parameters.selection import named
from gluon_cbam.training.parameters.stateful import Stateful

from .amp import FLOAT16, LossScaler
from .optimizers import create_optimizer
from .shards import ShardedOptimizer
from .state import optimizer_arrays, restore_optimizer

_log = logging.getLogger('gluon_cbam.training')


class Optimization:
    """The optimizer of a run with its learning-rate schedule, gradient clipping, loss scaling and moving average.

    Attributes:
        trainer: MXNet's trainer, which adds the gradients of the devices.

    Args:
        net: initialized on every context; ``wd_mult`` and ``grad_req`` of its parameters are set.
        config: ``optimizer`` and its settings, ``clip_norm``, ``dtype`` and ``gradient_compression``.
        ctx: the devices.
        process_group: the processes that train together.
        rate: the learning rate as a function of the step, from 0.
        steps: the number of steps of the whole run.
        images: the number of images of a step, over all devices, processes and accumulated batches; gradients are
            divided by it.
        average: the moving average to update, or None.
        shards: the optimizer of a sharded head, or None.
    """

    def __init__(
        self,
        net: mx.gluon.HybridBlock,
        config: TrainConfig,
        ctx: List[mx.Context],
        process_group: ProcessGroup,
        rate: Callable[[int], float],
        steps: int,
        images: int,
        average: Optional[ModelEma] = None,
        shards: Optional[ShardedOptimizer] = None,
    ):
        self._net, self._ctx, self._rate, self._images = net, ctx, rate, images
        self._servers_update = process_group.servers_update
        self._clip_norm, self._average, self._shards = config.clip_norm, average, shards
        self._scaler = LossScaler() if config.dtype == FLOAT16 else None
        parameters = _by_size(named(net))
        self._trained = [parameter for parameter in parameters.values() if parameter.grad_req != 'null']
        self.trainer = mx.gluon.Trainer(
            list(parameters.values()),
            process_group.optimizer(
                create_optimizer(config, parameters), lambda: [rate(step) for step in range(steps)]
            ),
            kvstore=process_group.kvstore(ctx),
            compression_params=config.compression(),
            # False keeps the state of the optimizer in this process, to be saved without pickle
            update_on_kvstore=process_group.servers_update,
        )

    @property
    def rate(self) -> float:
        """The learning rate of the last update."""
        return float(self.trainer.learning_rate)

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The optimizer's state by name; see :class:`gluon_cbam.training.parameters.stateful.Stateful`."""
        return optimizer_arrays(self._net, self.trainer)

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore the state that :meth:`arrays` returned.

        Args:
            arrays: the state by name.
            step: the step at which the run continues.

        Raises:
            DataError: an array is missing or does not fit.
        """
        if self._servers_update:
            _log.warning('the momentum starts at 0 again: the servers do not return it')
        else:
            restore_optimizer(self._net, self.trainer, arrays)
        if step:
            self.trainer.set_learning_rate(self._rate(step - 1))

    @property
    def loss_scale(self) -> float:
        """Factor of the loss in the next step: see :class:`gluon_cbam.training.optim.amp.LossScaler`; 1 without AMP."""
        return self._scaler.scale if self._scaler else 1.0

    def parts(self) -> Dict[str, Stateful]:
        """Everything that updates change, except the network, by name, for checkpoints."""
        parts: Dict[str, Optional[Stateful]] = {'optimizer': self, 'average': self._average, 'scale': self._scaler}
        return {name: part for name, part in parts.items() if part}

    def update(self, step: int) -> bool:
        """Queue the update of a step from the gradients of its backward passes.

        Args:
            step: its number, from 0.

        Returns:
            Whether the weights are updated; the update is skipped where gradients overflowed in float16.

        Raises:
            RunError: gradients are not finite even without loss scaling.
        """
        self.trainer.set_learning_rate(self._rate(step))
        divisor = self._images * self.loss_scale
        updated = self._update_on_servers(divisor) if self._servers_update else self._update_here(divisor)
        if updated and self._average:
            self._average.update()
        return updated

    def _update_on_servers(self, divisor: float) -> bool:
        self.trainer.step(divisor)
        return True

    def _update_here(self, divisor: float) -> bool:
        self.trainer.allreduce_grads()
        needed = self._shards is not None and (self._scaler is not None or self._clip_norm)
        shards = [self._shards.square_norm()] if self._shards and needed else []
        if self._scaler and not self._scaler.accept([*self._gradients(self._ctx[0]), *shards]):
            return False
        if self._clip_norm:
            self._clip(self._clip_norm * divisor, shards)
        self.trainer.update(divisor)
        if self._shards:
            self._shards.update(self.trainer.learning_rate, divisor)
        return True

    def _clip(self, largest: float, shards: List[mx.nd.NDArray]) -> None:
        """Scale the gradients so that their norm, with that of all shards, is at most ``largest``.

        Args:
            largest: the largest norm.
            shards: the squared norm of the gradients of all shards, (1,), if there are any.
        """
        for context in self._ctx:  # every device clips its own copy of the sum, so that none waits for another
            gradients = self._gradients(context)
            if not self._shards:
                clip_global_norm(gradients, largest, check_isfinite=False)
                continue
            flat = [array.reshape((-1,)) for array in gradients]
            squares = [
                *(mx.nd.dot(array, array) for array in flat),
                *(array.as_in_context(context) for array in shards),
            ]
            scale = mx.nd.minimum(largest / (mx.nd.sqrt(mx.nd.add_n(*squares)) + 1e-8), 1)  # as clip_global_norm
            for gradient in (*gradients, *self._shards.gradients(context)):
                mx.nd.broadcast_mul(gradient, scale, out=gradient)

    def _gradients(self, context: mx.Context) -> List[mx.nd.NDArray]:
        return [parameter.grad(context) for parameter in self._trained]


def _by_size(parameters: Dict[str, mx.gluon.Parameter]) -> Dict[str, mx.gluon.Parameter]:
    """The parameters, the smallest first.

    MXNet updates several parameters in one kernel, which loops to the size of the largest: neighbors of the same size
    save a third of the time of an update (measured: CIFAR CBAM-ResNet-18, two threads).
    """
    return dict(sorted(parameters.items(), key=lambda item: math.prod(item[1].shape)))

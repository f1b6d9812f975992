"""One update of the weights: gradients summed over devices, checked, clipped, applied, averaged."""

from __future__ import annotations

import logging
import math
from typing import Callable, Dict, List, Optional

import mxnet as mx
from mxnet.gluon.utils import clip_global_norm

from gluon_cbam.training.checkpoint.files import Part
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.distributed import ProcessGroup
from gluon_cbam.training.parameters.ema import Average
from gluon_cbam.training.parameters.selection import named

from . import optimizers
from .amp import FLOAT16, LossScaler
from .state import optimizer_arrays, restore_optimizer

_log = logging.getLogger('gluon_cbam.training')


class Optimization:
    """The optimizer of a run, with the rate of each step.

    Attributes:
        trainer: MXNet's; it adds the gradients of the devices.
        average: of the parameters, or None.

    Args:
        net: initialised on every context; ``wd_mult`` and ``grad_req`` of its parameters are set.
        config: ``optimizer`` and what belongs to it.
        ctx: the devices.
        process_group: the processes.
        rate: the learning rate of each step, from 0.
        steps: of the whole run.
        images: of a step, over all devices, processes and accumulated batches: gradients are divided by it.
        average: as above.
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
        average: Optional[Average] = None,
    ):
        self._net, self._ctx, self._rate, self._images = net, ctx, rate, images
        self._servers_update = process_group.servers_update
        self._clip_norm, self._average = config.clip_norm, average
        self._scaler = LossScaler() if config.dtype == FLOAT16 else None
        parameters = _by_size(named(net))
        self._trained = [parameter for parameter in parameters.values() if parameter.grad_req != 'null']
        self.trainer = mx.gluon.Trainer(
            list(parameters.values()),
            process_group.optimizer(optimizers.make(config, parameters), lambda: [rate(step) for step in range(steps)]),
            kvstore=process_group.kvstore(ctx),
            compression_params=config.compression(),
            # elsewhere the optimizer's state is here, to be saved without pickle
            update_on_kvstore=process_group.servers_update,
        )

    @property
    def rate(self) -> float:
        """The learning rate of the last update."""
        return float(self.trainer.learning_rate)

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """See :class:`.checkpoints.Part`."""
        return optimizer_arrays(self._net, self.trainer)

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """See :class:`.checkpoints.Part`."""
        if self._servers_update:
            _log.warning('the momentum starts anew: servers keep it to themselves')
        else:
            restore_optimizer(self._net, self.trainer, arrays)
        if step:
            self.trainer.set_learning_rate(self._rate(step - 1))

    @property
    def loss_scale(self) -> float:
        """What the loss of the next step is multiplied by."""
        return self._scaler.scale if self._scaler else 1.0

    def parts(self) -> Dict[str, Part]:
        """What changes with the updates beside the network, by name: for checkpoints."""
        parts = {'optimizer': self, 'average': self._average, 'scale': self._scaler}
        return {name: part for name, part in parts.items() if part}

    def update(self, step: int) -> bool:
        """Queue the update of a step, from the gradients that its backward passes left.

        Returns:
            Whether there is one; not with gradients that overflowed in float16.

        Raises:
            RunError: they overflow whatever the scale of the loss.
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
        if self._scaler and not self._scaler.accept(self._gradients(self._ctx[0])):
            return False
        if self._clip_norm:
            for context in self._ctx:  # each its own copy of the sum, so that no device waits for another
                clip_global_norm(self._gradients(context), self._clip_norm * divisor, check_isfinite=False)
        self.trainer.update(divisor)
        return True

    def _gradients(self, context: mx.Context) -> List[mx.nd.NDArray]:
        return [parameter.grad(context) for parameter in self._trained]


def _by_size(parameters: Dict[str, mx.gluon.Parameter]) -> Dict[str, mx.gluon.Parameter]:
    """The parameters, the smallest first.

    MXNet updates several of a trainer's parameters in one kernel that counts to the size of the largest: equals side by
    side save a third of the update's time (measured: CIFAR CBAM-ResNet-18, two threads).
    """
    return dict(sorted(parameters.items(), key=lambda item: math.prod(item[1].shape)))

"""How weights are updated: the optimizers, and one update."""

from __future__ import annotations

from typing import Callable, Dict

import mxnet as mx

from .config import TrainConfig
from .optimizer_state import optimizer_arrays, restore_optimizer
from .workers import Workers

# name -> its arguments beside the learning rate and the weight decay
_ARGUMENTS: Dict[str, Callable[[TrainConfig], dict]] = {
    'sgd': lambda config: {'momentum': config.momentum},
    'nag': lambda config: {'momentum': config.momentum},
}


class Optimization:
    """The optimizer of a run, with the rate of each step.

    Attributes:
        trainer: MXNet's; it adds the gradients of the devices.

    Args:
        net: initialised on every context.
        config: ``optimizer`` and what belongs to it.
        workers: the processes.
        rate: the learning rate of each step, from 0.
        images: of a step, over all devices and processes: gradients are divided by it.
    """

    def __init__(self, net, config: TrainConfig, ctx, workers: Workers, rate: Callable[[int], float], images: int):
        self._net, self._rate, self._images = net, rate, images
        self.trainer = mx.gluon.Trainer(
            net.collect_params(),
            config.optimizer,
            {'learning_rate': config.lr, 'wd': config.wd, **_ARGUMENTS[config.optimizer](config)},
            kvstore=workers.kvstore(ctx),
            update_on_kvstore=False,  # so that the optimizer's state is here, to be saved without pickle
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
        restore_optimizer(self._net, self.trainer, arrays)
        if step:
            self.trainer.set_learning_rate(self._rate(step - 1))

    def update(self, step: int) -> None:
        """Queue the update of a step, from the gradients that its backward pass left."""
        self.trainer.set_learning_rate(self._rate(step))
        self.trainer.step(self._images)

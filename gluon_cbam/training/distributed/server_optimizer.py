"""The optimizer that the processes of asynchronous training send to the parameter servers, as plain settings."""

from __future__ import annotations

from typing import Any, Dict, List

import mxnet as mx

FIRST_SUM = 1_000_000  # keys from here on are sums, smaller ones are parameters


class ServerOptimizer(mx.optimizer.Optimizer):
    """Updates parameters by SGD, and adds to sums.

    Args:
        optimizer: updates the parameters.
        rates: the learning rate of every step of the run.
        processes: number of processes that train; each sends one gradient per step.
    """

    def __init__(self, optimizer: mx.optimizer.SGD, rates: List[float], processes: int):
        super().__init__(learning_rate=optimizer.lr)
        self._optimizer, self._processes = optimizer, processes
        optimizer.lr_scheduler = _Rates(rates, processes)

    def settings(self) -> Dict[str, Any]:
        """Everything that a server needs to make this optimizer, as values for JSON; see :meth:`prepare`."""
        optimizer = self._optimizer
        return {
            'sgd': {'learning_rate': optimizer.lr, 'momentum': optimizer.momentum, 'wd': optimizer.wd},
            'rates': optimizer.lr_scheduler.rates,
            'processes': self._processes,
            'rescale_grad': optimizer.rescale_grad,
            'updates': optimizer.num_update,
            'lr_mult': optimizer.lr_mult,
            'wd_mult': optimizer.wd_mult,
        }

    @classmethod
    def of(cls, settings: Dict[str, Any]) -> ServerOptimizer:
        """The optimizer of settings that :meth:`settings` returned, also after they were JSON.

        Args:
            settings: the settings.
        """
        optimizer = mx.optimizer.SGD(**settings['sgd'])
        made = cls(optimizer, settings['rates'], settings['processes'])
        made.rescale_grad = optimizer.rescale_grad = settings['rescale_grad']
        optimizer.begin_num_update = optimizer.num_update = settings['updates']
        for name in ('lr_mult', 'wd_mult'):
            setattr(optimizer, name, {int(index): value for index, value in settings[name].items()})
        return made

    def prepare(self, images: int, step: int) -> None:
        """Set the values that the servers need; they are sent with the optimizer, once.

        Args:
            images: the number of images by which gradients are divided; each process' gradient moves the weights by its
                share of a step.
            step: the step at which the run continues.
        """
        optimizer = self._optimizer
        self.rescale_grad = optimizer.rescale_grad = 1 / images
        optimizer.begin_num_update = optimizer.num_update = step * self._processes
        optimizer.lr_mult = {index: parameter.lr_mult for index, parameter in self.param_dict.items()}
        optimizer.wd_mult = {index: parameter.wd_mult for index, parameter in self.param_dict.items()}

    def create_state_multi_precision(self, index: int, weight: mx.nd.NDArray) -> Any:
        """The optimizer's state of a parameter; sums have none."""
        return None if index >= FIRST_SUM else self._optimizer.create_state_multi_precision(index, weight)

    def update_multi_precision(self, index: int, weight: mx.nd.NDArray, grad: mx.nd.NDArray, state: Any) -> None:
        """Update a parameter, or add to a sum."""
        if index >= FIRST_SUM:
            weight += grad
        else:
            self._optimizer.update_multi_precision(index, weight, grad, state)


class _Rates:
    """The learning rate as a function of the number of gradients that the servers received."""

    def __init__(self, rates: List[float], processes: int):
        self.rates, self._processes = rates, processes

    def __call__(self, updates: int) -> float:
        return self.rates[min((updates - 1) // self._processes, len(self.rates) - 1)]

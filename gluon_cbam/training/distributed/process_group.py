"""The process group of a single process, which is the base class of the groups of several."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

import mxnet as mx
import numpy as np


class ProcessGroup:
    """The processes that train together. This class is for a single process.

    Attributes:
        rank: number of this process, from 0. The process of rank 0 writes the run directory.
        size: how many processes there are.
        servers_update: whether servers update the weights, so that this process does not have the optimizer's state.

    Args:
        kv_store: name of the MXNet kvstore in which devices add their gradients.
    """

    rank = 0
    size = 1
    servers_update = False

    def __init__(self, kv_store: str):
        self._kv_store = kv_store

    def kvstore(self, ctx: List[mx.Context]) -> Optional[object]:
        """The ``kvstore`` of ``gluon.Trainer``.

        Args:
            ctx: the devices of this process.

        Returns:
            A store, its name, or None for a single device, which needs no store.
        """
        return self._kv_store if len(ctx) > 1 else None

    def optimizer(self, optimizer: mx.optimizer.Optimizer, rates: Callable[[], List[float]]) -> mx.optimizer.Optimizer:
        """The ``optimizer`` of ``gluon.Trainer``.

        Args:
            optimizer: updates the weights.
            rates: returns the learning rate of every step of the run.

        Returns:
            ``optimizer``, or another one that updates by it.
        """
        return optimizer

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        """Give every process and device the same parameters. Call it once, before the first step.

        Otherwise the trainer would do so in its first update, when each device has its own running statistics already,
        and would overwrite these with the statistics of the first device. A resumed run of one process keeps those that
        each device was given.

        Args:
            trainer: made with :meth:`kvstore` and :meth:`optimizer`.
            images: the number of images by which gradients are divided.
            step: the step at which the run continues.

        Raises:
            DataError: the processes do not continue from the same step.
        """
        fixed = [parameter for parameter in trainer._params if parameter.grad_req == 'null' and self.size == 1]
        kept = [(value, value.copy()) for parameter in fixed for value in parameter.list_data()]
        trainer._init_kvstore()
        trainer._init_params()
        for value, before in kept:
            before.copyto(value)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum of an array over all processes, in float64: exact, and bitwise the same in all of them.

        Args:
            values: the values of this process; the shape is the same in all processes.
        """
        return np.asarray(values, np.float64)

    def gather(self, values: np.ndarray) -> List[np.ndarray]:
        """The arrays of all processes, in float64: exact, and bitwise the same in all of them.

        Args:
            values: (n, ...) of this process; ``n`` may differ, the other dimensions are the same in all processes.

        Returns:
            The array of each process, by rank.
        """
        return [np.asarray(values, np.float64)]

    def mean(self, arrays: List[np.ndarray]) -> List[np.ndarray]:
        """The means of float32 arrays over all processes.

        Args:
            arrays: the arrays of this process; the shapes are the same in all processes.
        """
        return arrays

    def add(self, name: str, array: mx.nd.NDArray) -> mx.nd.NDArray:
        """Queue the sum of a float32 array over all processes, without waiting for the device.

        All processes call this in the same order.

        Args:
            name: the name of the array; arrays of the same name have the same shape.
            array: the array of this process; it is not changed.

        Returns:
            The sum, on the same device.
        """
        return array

    def agree(self, flags: Sequence[bool]) -> List[bool]:
        """Agree on flags, so that a signal to one process stops all of them at the same step.

        Each process calls this before each step. All get the same answer at the same step, a few steps after a flag was
        set, so that no process waits for another. A flag counts once, until a step in which it is not set.

        Args:
            flags: the flags of this process.

        Returns:
            For each flag, whether any process has set it.
        """
        return list(flags)

    def leave(self) -> None:
        """Wait for all processes, since they may still need this one. Call it once, at the end of a successful run."""

"""A process that trains alone, and what it has in common with one of many."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

import mxnet as mx
import numpy as np


class ProcessGroup:
    """A process that trains alone, with one device or several.

    Attributes:
        rank: this process' number, from 0. The one of rank 0 writes the run folder.
        size: how many processes there are.
        servers_update: whether servers update the weights, so that the optimizer's state is not here.

    Args:
        kv_store: name of the store in which devices add their gradients.
    """

    rank = 0
    size = 1
    servers_update = False

    def __init__(self, kv_store: str):
        self._kv_store = kv_store

    def kvstore(self, ctx: List[mx.Context]) -> Optional[object]:
        """What ``gluon.Trainer`` takes as ``kvstore``: None for one device, which needs no store."""
        return self._kv_store if len(ctx) > 1 else None

    def optimizer(self, optimizer: mx.optimizer.Optimizer, rates: Callable[[], List[float]]) -> mx.optimizer.Optimizer:
        """What ``gluon.Trainer`` takes as ``optimizer``.

        Args:
            optimizer: that updates the weights.
            rates: gives the learning rate of every step of the run.
        """
        return optimizer

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        """Called once before the first step: every process holds the same parameters after it.

        Args:
            trainer: made with :meth:`kvstore` and :meth:`optimizer`.
            images: by which gradients are divided.
            step: at which the run continues.

        Raises:
            DataError: the processes do not continue from the same step.

        The trainer would do this in its first update, and give every device the running statistics of the first device
        when each has had a step of its own.
        """
        trainer._init_kvstore()
        trainer._init_params()

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes of an array that each has, in float64: exact, and the same bits for all."""
        return np.asarray(values, np.float64)

    def mean(self, arrays: List[np.ndarray]) -> List[np.ndarray]:
        """The means over all processes of float32 arrays that each has."""
        return arrays

    def agree(self, flags: Sequence[bool]) -> List[bool]:
        """Which flags are set in any process: a signal that one process gets is one to all.

        Each process calls this before each step. All get the same answer at the same step, a few steps after the flag
        was set, so that nobody waits. A flag counts once, until it was not set for a step.
        """
        return list(flags)

    def leave(self) -> None:
        """Called once at the end of a run that did not fail: nobody leaves while another may need it."""

"""The loss of a training run, as the training step calls it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple

if TYPE_CHECKING:
    import mxnet as mx


class Objective(ABC):
    """The loss of a training run and what is counted of it, on one device after the other.

    :class:`gluon_cbam.training.loop.step.TrainStep` calls the three methods in their order for every batch.

    Attributes:
        head: a block with the parameters of the loss itself, for instance the class centers of ArcFace, which are
            initialized, updated and saved with the network but are no part of it; None for a loss without.
    """

    head: Optional[mx.gluon.Block] = None

    @abstractmethod
    def prepare(self, parts: Sequence[Any], step: int, index: int) -> Sequence[Any]:
        """Make the inputs of the network from a batch, without recording gradients: normalize, mix, draw.

        Args:
            parts: the batch's named tuple for each device, its arrays on that device.
            step: number of the step, from 0; whatever is drawn follows from it, the batch and the run's seed.
            index: the index of the batch within the step, from 0.

        Returns:
            What :meth:`loss` takes, for each device.
        """

    @abstractmethod
    def loss(self, net: mx.gluon.HybridBlock, inputs: Any) -> Tuple[mx.nd.NDArray, Any]:
        """Run the network on one device, with gradients recorded.

        Returns:
            The loss of each example, (N,), and whatever :meth:`statistics` needs of the outputs.
        """

    @abstractmethod
    def statistics(self, inputs: Any, losses: mx.nd.NDArray, outputs: Any) -> Sequence[mx.nd.NDArray]:
        """Count one device's part of the batch, after the backward pass.

        Returns:
            A (1,) array for each of :attr:`Task.training_figures`, summed over the examples; not waited for.
        """

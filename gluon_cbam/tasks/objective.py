"""The loss of a training run, as the training step calls it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Sequence, Tuple

from .sharded_head import ShardedHead

if TYPE_CHECKING:
    import mxnet as mx

    from .protocols import ProcessGroup, Teacher


class Objective(ABC):
    """The loss of a training run and its statistics.

    :class:`gluon_cbam.training.loop.step.TrainStep` calls :meth:`prepare_step`, which calls :meth:`prepare` for every
    batch of a step, and for every batch :meth:`losses`, which calls :meth:`loss` for each device, and
    :meth:`statistics`. Of an objective with a sharded head it calls
    :meth:`embed` instead of :meth:`losses`, and :meth:`statistics` with the losses and the
    :class:`.sharded_head.ShardedOutputs` of that head.

    Attributes:
        head: a block with the parameters of the loss itself, for instance the class centers of ArcFace, which are
            initialized, updated and saved with the network but are not part of it; None for a loss without
            parameters.
        sharded: the head whose parameters are sharded over devices and processes, which computes the losses; None for a
            loss that each device computes for itself. It may have parameters in ``head`` besides.
        largest_loss: the mean loss of a step above which a run has diverged, even though the loss is finite. The
            default is beyond what float32 can be trained with, whatever the loss is.
    """

    head: Optional[mx.gluon.Block] = None
    sharded: Optional[ShardedHead] = None
    largest_loss: float = 1e12

    def join(self, process_group: ProcessGroup) -> None:  # noqa: B027 (most losses follow from one process)
        """Take the processes that train together; called once, before the first step.

        Args:
            process_group: for losses whose statistics follow the batch of all processes.
        """

    def learn_from(self, teacher: Teacher) -> None:
        """Take the teacher of :meth:`gluon_cbam.tasks.base.Task.taught`; called once, before the first step.

        Args:
            teacher: computes outputs for the images of each batch.
        """
        raise NotImplementedError

    @abstractmethod
    def prepare(self, parts: Sequence[Any], step: int, index: int) -> Sequence[Any]:
        """Make the inputs of the network from a batch, without recording gradients: normalization, mixup.

        Args:
            parts: the batch's named tuple for each device, its arrays on that device.
            step: number of the step, from 0; random numbers depend on it, the index and the run's seed only.
            index: the index of the batch within the step, from 0.

        Returns:
            The inputs of :meth:`loss` for each device.
        """

    def prepare_step(self, batches: Iterable[Sequence[Any]], step: int) -> Iterator[Sequence[Any]]:
        """Make the inputs of all batches of a step, whose gradients are added; by default one batch after the other.

        A loss that is divided by a count over the whole step has its own, which reads all batches first.

        Args:
            batches: ``parts`` of :meth:`prepare` for each batch; read as late as possible, to save memory.
            step: see :meth:`prepare`.

        Yields:
            The result of :meth:`prepare` for each batch.
        """
        for index, parts in enumerate(batches):
            yield self.prepare(parts, step, index)

    @abstractmethod
    def loss(self, net: mx.gluon.HybridBlock, inputs: Any) -> Tuple[mx.nd.NDArray, Any]:
        """Run the network on one device, with gradients recorded.

        Args:
            net: the network.
            inputs: an entry of the result of :meth:`prepare`.

        Returns:
            The loss of each example, (N,), and the outputs for :meth:`statistics`.
        """

    def losses(self, net: mx.gluon.HybridBlock, inputs: Sequence[Any]) -> Sequence[Tuple[mx.nd.NDArray, Any]]:
        """Run the network on all devices, with gradients recorded; by default, :meth:`loss` on one after the other.

        A loss for which the devices exchange something has its own.

        Args:
            net: the network.
            inputs: the result of :meth:`prepare`.

        Returns:
            For each device what :meth:`loss` returns.
        """
        return [self.loss(net, part) for part in inputs]

    def embed(self, net: mx.gluon.HybridBlock, inputs: Any) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """Run the network on one device, with gradients recorded, for an objective with a sharded head.

        Args:
            net: the network.
            inputs: an entry of the result of :meth:`prepare`.

        Returns:
            The embeddings, (N, D) float32, and the classes of the examples, (N,).
        """
        raise NotImplementedError

    @abstractmethod
    def statistics(self, inputs: Any, losses: mx.nd.NDArray, outputs: Any) -> Sequence[mx.nd.NDArray]:
        """Compute the statistics of one device's part of the batch, after the backward pass.

        Args:
            inputs: an entry of the result of :meth:`prepare`.
            losses: the losses that :meth:`loss` or the sharded head returned.
            outputs: the outputs that :meth:`loss` or the sharded head returned.

        Returns:
            A (1,) array for each of :attr:`.TaskFigures.training_figures`, summed over the examples; it may still be
            computed.
        """

"""A loss head whose class weights are sharded over devices and processes, as a task describes it.

:mod:`gluon_cbam.training.sharding` holds the shards and computes their loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple

if TYPE_CHECKING:
    import mxnet as mx

    State = Dict[str, mx.nd.NDArray]


class ShardedParameter(NamedTuple):
    """A parameter with rows for every class, of which a shard has those of its classes.

    Attributes:
        width: the values of a row.
        deviation: the standard deviation of the first values, which are normal with mean 0.
        lr_mult: factor of the learning rate.
        wd_mult: factor of the weight decay.
    """

    width: int
    deviation: float = 0.01
    lr_mult: float = 1.0
    wd_mult: float = 1.0


class ShardedHead(ABC):
    """A softmax over classes whose parameters no device holds as a whole.

    Every device has a range of the classes, and receives the embeddings of the whole batch.

    Attributes:
        classes: the number of classes.
        centers: the rows that each parameter has for a class.
        parameters: the parameters by name, in the order in which :meth:`products` takes them. Rows of a class lie
            together.
        sample_rate: the share of a shard's classes over which the softmax of a step is taken: all classes of the
            batch, and others at random (Partial FC, An et al., arXiv:2010.05222); 1 for all classes.
        initial_state: the moving statistics before the first step, by name; empty for a head without.
        needs: which of ``target`` and ``norm`` the logits depend on, in this order.
    """

    classes: int
    centers: int = 1
    parameters: Dict[str, ShardedParameter]
    sample_rate: float = 1.0
    initial_state: Dict[str, float]
    needs: Tuple[str, ...] = ()

    @abstractmethod
    def products(self, classes: int) -> mx.gluon.HybridBlock:
        """The block that compares embeddings with the classes of a shard.

        Args:
            classes: classes of the shard in a step, C.

        Returns:
            The block. Its inputs are the embeddings of the whole batch, (N, D), the column of each example's class,
            (N,), or -1 if another shard has the class, and the rows of the parameters. Its outputs are the products,
            (N, C); of the examples and their classes product and cosine, (N, 2), 0 if another shard has the class; and
            the norms of the embeddings, (N, 1).
        """

    @abstractmethod
    def logits(self, classes: int) -> mx.gluon.HybridBlock:
        """The block that makes logits of products.

        Args:
            classes: classes of the shard in a step, C.

        Returns:
            The block. Its inputs are the products, the columns, what :attr:`needs` names, each (N, 1), and the moving
            statistics after :meth:`advance`, in the order of :attr:`initial_state`. ``target`` are the products of the
            examples and their classes over all shards, through which no gradient flows; ``norm`` are the norms of
            the embeddings. Its output are the logits, (N, C) float32 or float64.
        """

    def advance(self, state: State, target: mx.nd.NDArray, norm: mx.nd.NDArray) -> State:
        """The moving statistics after a batch, which are the same on all devices.

        Args:
            state: the statistics before it, each (1,).
            target: the products of the examples and their classes, (N, 1), of the whole batch.
            norm: the norms of its embeddings, (N, 1).
        """
        return state

    def penalty(self, embeddings: mx.nd.NDArray) -> Optional[mx.nd.NDArray]:
        """What the losses of examples have besides the cross-entropy, (n,); None for nothing.

        Args:
            embeddings: the embeddings of a device's own examples, (n, D).
        """
        return None


class ShardedOutputs(NamedTuple):
    """What a sharded head gives for the examples of a device besides their losses.

    Attributes:
        cosine: (n,): the cosine of each embedding and its class.
        norm: (n,): the norm of each embedding.
        hard: (n,): 1 where the largest logit is that of another class; otherwise 0.
    """

    cosine: mx.nd.NDArray
    norm: mx.nd.NDArray
    hard: mx.nd.NDArray


class ShardedResult(NamedTuple):
    """The loss of a batch over all devices.

    Attributes:
        losses: the loss of each example, (n,), on each device.
        outputs: the outputs on each device.
        gradients: the gradients of the losses' sum with respect to the embeddings of each device, (n, D).
    """

    losses: List[mx.nd.NDArray]
    outputs: List[ShardedOutputs]
    gradients: List[mx.nd.NDArray]

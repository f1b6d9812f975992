"""The loss of all devices of a batch over sharded classes, and its gradients.

Every device receives the embeddings of the whole batch and computes the logits of its own classes. Two small arrays
travel between: the product of each example and its class, which only one shard has, and for each shard and example the
largest logit, the sum of exponentials and the logit of the example's class. From these every device has the
softmax over all classes, and with it the gradient of its logits. The gradients of the embeddings are summed and go back
to the devices that have the examples (the ``parall`` training of insightface's ``recognition/ArcFace`` does the same).
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.sharded_head import ShardedHead, ShardedOutputs, ShardedResult

from .exchange import Arrays, Exchange
from .softmax import Exponentials, cross_entropy
from .weight import ShardedWeight


class _Blocks(NamedTuple):
    """What a shard computes with a number of classes."""

    products: HybridBlock
    logits: HybridBlock

    @classmethod
    def of(cls, head: ShardedHead, classes: int) -> _Blocks:
        blocks = cls(head.products(classes), head.logits(classes))
        for block in blocks:
            block.hybridize(static_alloc=True, static_shape=True)
        return blocks


class ShardedLoss:
    """The loss of a sharded head, with its moving statistics.

    Args:
        weight: the shards of this process.
        exchange: exchanges arrays between the devices of all processes.
    """

    def __init__(self, weight: ShardedWeight, exchange: Exchange) -> None:
        self.weight, self._exchange, head = weight, exchange, weight.head
        self._blocks = {shard.count: _Blocks.of(head, shard.count) for shard in weight.shards}
        self._state = [
            {name: mx.nd.array([value], shard.context, weight.dtype) for name, value in head.initial_state.items()}
            for shard in weight.shards
        ]

    def __call__(
        self,
        embeddings: Arrays,
        labels: Arrays,
        step: int,
        index: int,
        scale: float = 1.0,
    ) -> ShardedResult:
        """Compute the losses, and the gradients of their sum over all devices.

        The gradients of the parameters are those of the active rows of the shards.

        Args:
            embeddings: (n, D) on each device of this process; no gradient is recorded for them here.
            labels: their classes, (n,).
            step: the number of the step, from 0.
            index: the index of the batch within the step, from 0.
            scale: factor of the gradients, not of the losses.

        Returns:
            Losses, outputs and the gradients of the embeddings.
        """
        shards = self.weight.shards
        whole = self._exchange.gather('embeddings', [array.detach() for array in embeddings])
        classes = [array.reshape((-1,)).astype(self.weight.dtype) for array in labels]
        columns = self._columns(self._exchange.gather('labels', classes), step, index)
        for array in whole:
            array.attach_grad()
        with mx.autograd.record():
            products = [
                self._blocks[shard.count].products(array, column, *shard.active.values())
                for shard, array, column in zip(shards, whole, columns)
            ]
            with mx.autograd.pause():
                whole_targets = self._exchange.sum('targets', [target for _, target, _ in products])
                targets, cosines = zip(*(mx.nd.split(array, 2, axis=1) for array in whole_targets))
                norms = [norm.detach() for _, _, norm in products]
                self._advance(targets, norms)
            logits = self._logits(products, columns, targets)
        losses, gradients, hard = self._softmax(logits, columns)
        mx.autograd.backward(
            logits, [gradient if scale == 1 else gradient * scale for gradient in gradients]
        )  # fmt: skip
        outputs = [ShardedOutputs(*device) for device in zip(*(self._own(each) for each in (cosines, norms, hard)))]
        return ShardedResult(
            self._own(losses), outputs, self._exchange.scatter_sum('gradients', [array.grad for array in whole])
        )

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The moving statistics; see :class:`gluon_cbam.training.parameters.stateful.Stateful`."""
        return dict(self._state[0])

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore what :meth:`arrays` returned.

        Raises:
            DataError: a statistic is missing, or of another head.
        """
        if set(arrays) != set(self._state[0]):
            raise DataError('the statistics of the loss head do not fit: is it of another head?')
        self._state = [
            {name: arrays[name].as_in_context(shard.context) for name in self._state[0]} for shard in self.weight.shards
        ]

    def _columns(self, labels: List[mx.nd.NDArray], step: int, index: int) -> List[mx.nd.NDArray]:
        """The column of each example's class in each shard; it waits for the labels, if classes are sampled."""
        shards = self.weight.shards
        known = labels[0].asnumpy() if any(shard.sampled for shard in shards) else None
        return [
            shard.columns(array) if known is None or not shard.sampled else shard.sample(known, step, index)
            for shard, array in zip(shards, labels)
        ]

    def _advance(self, targets: Arrays, norms: Arrays) -> None:
        self._state = [
            self.weight.head.advance(state, target, norm) for state, target, norm in zip(self._state, targets, norms)
        ]

    def _logits(self, products: Sequence[Any], columns: Arrays, targets: Arrays) -> List[mx.nd.NDArray]:
        results = []
        for shard, (values, _, norm), column, target, state in zip(
            self.weight.shards, products, columns, targets, self._state
        ):
            known = {'target': target, 'norm': norm}
            needed = [known[name] for name in self.weight.head.needs]
            results.append(self._blocks[shard.count].logits(values, column, *needed, *state.values()))
        return results

    def _softmax(self, logits: Arrays, columns: Arrays) -> Tuple[Arrays, Arrays, Arrays]:
        """Losses, gradients of the logits and hard examples, on each device for the whole batch."""
        exponentials = [Exponentials(*pair) for pair in zip(logits, columns)]
        summaries = self._exchange.gather('summaries', [each.summary for each in exponentials])
        losses, hard = zip(*map(cross_entropy, summaries))
        return losses, [each.gradient(array) for each, array in zip(exponentials, summaries)], hard

    def _own(self, arrays: Arrays) -> List[mx.nd.NDArray]:
        """The values of each device's own examples, (n,), from those of the whole batch on each device."""
        flat = [array.reshape((-1,)) for array in arrays]
        return [array[self._exchange.rows(device, len(array))] for device, array in enumerate(flat)]

"""A margin head whose class weights are sharded: what :mod:`gluon_cbam.training.sharding` needs to know of it."""

from __future__ import annotations

from typing import Any, Dict, Optional

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.tasks.sharded_head import ShardedHead, ShardedParameter

from .class_weight import compare, norms
from .margin import Margin, State


class ShardedMarginHead(ShardedHead):
    """A margin over the class weights of shards.

    Args:
        margin: the margin.
        classes: the number of classes.
        embedding: the size of embeddings.
        subcenters: rows of a class.
        sample_rate: see :class:`gluon_cbam.tasks.sharded_head.ShardedHead`.
    """

    def __init__(
        self, margin: Margin, classes: int, embedding: int, subcenters: int = 1, sample_rate: float = 1.0
    ) -> None:
        self._margin, self.classes, self.centers, self.sample_rate = margin, classes, subcenters, sample_rate
        self.parameters: Dict[str, ShardedParameter] = {'weight': ShardedParameter(embedding)}
        if margin.bias:  # the multipliers are insightface's
            self.parameters['bias'] = ShardedParameter(1, deviation=0.0, lr_mult=2.0, wd_mult=0.0)
        self.initial_state, self.needs = margin.initial_state(), margin.needs

    def products(self, classes: int) -> HybridBlock:
        """See :meth:`gluon_cbam.tasks.sharded_head.ShardedHead.products`."""
        return _Products(self._margin, classes, self.centers)

    def logits(self, classes: int) -> HybridBlock:
        """See :meth:`gluon_cbam.tasks.sharded_head.ShardedHead.logits`."""
        return _Logits(self._margin, classes)

    def advance(self, state: State, target: mx.nd.NDArray, norm: mx.nd.NDArray) -> State:
        """See :meth:`gluon_cbam.tasks.sharded_head.ShardedHead.advance`."""
        new = self._margin.advance(mx.nd, state, target, norm) if state else {}
        return {name: new[name] for name in state}

    def penalty(self, embeddings: mx.nd.NDArray) -> Optional[mx.nd.NDArray]:
        """See :meth:`gluon_cbam.tasks.sharded_head.ShardedHead.penalty`."""
        penalty = self._margin.penalty(mx.nd, norms(mx.nd, embeddings))
        return None if penalty is None else penalty.reshape((-1,))


class _Products(HybridBlock):
    def __init__(self, margin: Margin, classes: int, centers: int) -> None:
        super().__init__()
        self._margin, self._classes, self._centers = margin, classes, centers

    def hybrid_forward(
        self, F: OpNamespace, x: Tensor, columns: Tensor, weight: Tensor, bias: Optional[Tensor] = None
    ) -> Any:
        flat = None if bias is None else F.reshape(bias, shape=(-1,))
        found = compare(F, self._margin, x, columns, weight, self._classes, self._centers, flat)
        mine = F.expand_dims(columns >= 0, axis=1)
        own = F.broadcast_mul(F.concat(found.target, found.cosine, dim=1), mine)
        return found.products, F.BlockGrad(own), found.norm


class _Logits(HybridBlock):
    def __init__(self, margin: Margin, classes: int) -> None:
        super().__init__()
        self._margin, self._classes = margin, classes

    def hybrid_forward(self, F: OpNamespace, values: Tensor, columns: Tensor, *further: Tensor) -> Tensor:
        inputs = dict(zip(self._margin.inputs, further))
        return self._margin.logits_of_inputs(F, values, columns, self._classes, inputs)

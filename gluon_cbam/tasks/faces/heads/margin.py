"""What a margin head computes from cosines: the logits of all classes, or of a shard of them.

A margin knows neither the class weights nor where they lie. For the classes of a shard it takes

* the products of embeddings and class weights, (N, C), which are cosines if the head is normalized;
* the column of each image's class, (N,), or -1 if another shard has the class;
* of each image, the cosine of its target, from whichever shard has it, and the norm of its embedding, (N, 1);
* the moving statistics, each (1,), the same on all shards.

No value of another shard's columns is needed besides, so that the logits of several shards side by side are those of
the head in one piece. A head in one piece is the case of one shard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple

from gluon_cbam.common.types import OpNamespace, Tensor

State = Dict[str, Tensor]
"""Name of a moving statistic -> (1,)."""


@dataclass(frozen=True)
class Margin:
    """A softmax head without margin, and the base of those with one.

    Attributes:
        scale: factor s of the logits.
        normalized: whether products are cosines; otherwise they are plain products of embeddings and weights.
        bias: whether a bias per class is added to the products.
        dtype: type of the cosines, on which depends how near to 1 they are told from 1; see :mod:`.angles`.
        needs: which of ``target`` and ``norm`` the logits depend on; a :meth:`penalty` depends on the norm in any case.
    """

    scale: float = 64.0
    dtype: str = 'float32'

    normalized = True
    bias = False
    needs: ClassVar[Tuple[str, ...]] = ()

    def changed(self, **options: Any) -> Margin:
        """The same margin with other attributes.

        Raises:
            UsageError: an attribute is out of its range.
        """
        return replace(self, **options)

    def initial_state(self) -> Dict[str, float]:
        """The moving statistics before the first step, by name; empty for a head without."""
        return {}

    @property
    def inputs(self) -> Tuple[str, ...]:
        """The names of what :meth:`logits_of_inputs` takes: those of :attr:`needs`, then the moving statistics."""
        return (*self.needs, *self.initial_state())

    def logits_of_inputs(
        self, F: OpNamespace, products: Tensor, columns: Tensor, classes: int, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See :meth:`logits`; ``inputs`` has the values that :attr:`inputs` names."""
        state = dict(inputs)
        target, norm = state.pop('target', None), state.pop('norm', None)
        return self.logits(F, products, columns, classes, target, norm, state)

    def advance(self, F: OpNamespace, state: State, target: Tensor, norm: Tensor) -> State:
        """The moving statistics after a batch, which the logits of this batch use.

        Args:
            F: the operators.
            state: the statistics before it.
            target: the cosines of the targets of the whole batch, over all devices and processes, (N, 1).
            norm: the norms of its embeddings, (N, 1).
        """
        return state

    def logits(
        self,
        F: OpNamespace,
        products: Tensor,
        columns: Tensor,
        classes: int,
        target: Optional[Tensor],
        norm: Optional[Tensor],
        state: State,
    ) -> Tensor:
        """The logits of the classes of a shard, (N, C).

        Args:
            F: the operators.
            products: the products of the embeddings and the shard's class weights, (N, C).
            columns: the column of each image's class, (N,), or -1 if another shard has the class.
            classes: the number of columns, C.
            target: the cosine of each image's target over all shards, (N, 1); no gradient flows to it. None if the
                margin does not need it.
            norm: the norm of each embedding, (N, 1), to which gradients flow; None if the margin does not need it.
            state: the moving statistics, after :meth:`advance`.
        """
        own = F.pick(products, columns, axis=1, keepdims=True)  # of the first column, and unused, if there is none
        changed = F.broadcast_like(self.target(F, own, norm, state), products)
        others = self.others(F, products, None if target is None else F.BlockGrad(target), norm, state)
        return self.scaled(F, F.where(F.one_hot(columns, depth=classes), changed, others), norm)

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """The value of the targets before scaling, (N, 1).

        Args:
            F: the operators.
            cosine: the cosine of each image's target, (N, 1); where another shard has the target, the value is ignored.
            norm: see :meth:`logits`.
            state: see :meth:`logits`.
        """
        return cosine

    def others(self, F: OpNamespace, cosines: Tensor, target: Tensor, norm: Tensor, state: State) -> Tensor:
        """The values of the other classes before scaling, (N, C); the values at the targets are ignored."""
        return cosines

    def scaled(self, F: OpNamespace, values: Tensor, norm: Tensor) -> Tensor:
        """The logits from the values of targets and other classes."""
        return self.scale * values

    def penalty(self, F: OpNamespace, norm: Tensor) -> Optional[Tensor]:
        """What the loss of each image has besides the cross-entropy, (N, 1); None for nothing."""
        return None


@dataclass(frozen=True)
class Softmax(Margin):
    """The plain softmax: products of embeddings and class weights as they are, and a bias."""

    scale: float = 1.0
    bias: bool = True

    normalized = False

"""The head of a run that classifies identities: class weights, moving statistics and the loss, in one piece."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import mxnet as mx
from mxnet.gluon import Block, HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.tasks.protocols import ProcessGroup

from .class_weight import compare
from .margin import Margin, State


class HeadInputs(NamedTuple):
    """What the loss needs of one device's images.

    Attributes:
        products: (N, classes), cosines for normalized heads.
        target: the product of each image and its class, (N, 1).
        norm: the norm of each embedding, (N, 1).
        cosine: the cosine of each image and its class, (N, 1), for statistics.
    """

    products: mx.nd.NDArray
    target: mx.nd.NDArray
    norm: mx.nd.NDArray
    cosine: mx.nd.NDArray


class ClassWeight(HybridBlock):
    """The class weights.

    Args:
        margin: the margin.
        classes: the number of classes.
        embedding: the size of embeddings.
        subcenters: rows of a class.

    Inputs:
        embeddings (N, embedding) and labels (N,).

    Outputs:
        The fields of :class:`HeadInputs`.
    """

    def __init__(self, margin: Margin, classes: int, embedding: int, subcenters: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._margin, self._classes, self._subcenters = margin, classes, subcenters
        shape = (classes * subcenters, embedding)
        with self.name_scope():
            self.weight = self.params.get('weight', shape=shape, init=mx.init.Normal(0.01), dtype=margin.dtype)
            if margin.bias:  # the multipliers are insightface's
                self.bias = self.params.get('bias', shape=shape[:1], init='zeros', lr_mult=2, wd_mult=0)

    def hybrid_forward(
        self, F: OpNamespace, x: Tensor, label: Tensor, weight: Tensor, bias: Optional[Tensor] = None
    ) -> Any:
        """See :class:`ClassWeight`."""
        x = F.cast(x, dtype=self._margin.dtype)  # from float16 in mixed precision, whose squares overflow
        found = compare(F, self._margin, x, label, weight, self._classes, self._subcenters, bias)
        return found.products, found.target, found.norm, F.BlockGrad(found.cosine)


class MarginLoss(HybridBlock):
    """The cross-entropy of a margin's logits, with the penalty of the margin.

    Attributes:
        inputs: names of the further inputs: ``target`` and ``norm`` if the margin needs them, and moving statistics.

    Args:
        margin: the margin.
        classes: the number of classes.

    Inputs:
        Products (N, classes), labels (N,), and what :attr:`inputs` names.

    Outputs:
        The loss of each image (N,), and the logits (N, classes).
    """

    def __init__(self, margin: Margin, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._margin, self._classes = margin, classes
        self.inputs = margin.inputs

    def hybrid_forward(self, F: OpNamespace, values: Tensor, label: Tensor, *further: Tensor) -> Any:
        """See :class:`MarginLoss`."""
        inputs = dict(zip(self.inputs, further))
        logits = self._margin.logits_of_inputs(F, values, label, self._classes, inputs)
        loss = -F.pick(F.log_softmax(logits, axis=1), label, axis=1)
        penalty = self._margin.penalty(F, inputs.get('norm'))
        return (loss if penalty is None else loss + F.reshape(penalty, shape=(-1,))), logits


class MovingStatistics(Block):
    """The moving statistics of a margin, which checkpoints hold and the optimizer leaves alone.

    Attributes:
        process_group: the processes that train together, whose batches count together; None for one.

    Args:
        margin: the margin.
    """

    def __init__(self, margin: Margin, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._margin = margin
        self.process_group: Optional[ProcessGroup] = None
        with self.name_scope():
            for name, value in margin.initial_state().items():
                start = mx.init.Constant(value)
                setattr(self, name, self.params.get(name, shape=(1,), init=start, grad_req='null', dtype=margin.dtype))

    def advance(self, targets: Sequence[mx.nd.NDArray], norms: Sequence[mx.nd.NDArray]) -> List[State]:
        """Advance the statistics by a batch, without waiting for the devices.

        Args:
            targets: the cosines of the targets on each device, (N, 1).
            norms: the norms of the embeddings on each device, (N, 1).

        Returns:
            The new statistics on each device, which the gradient of this batch may use later.
        """
        with mx.autograd.pause():
            first = targets[0].context
            old = {name: parameter.data(first) for name, parameter in self._parameters().items()}
            if not old:
                return [{} for _ in targets]
            whole = [self._gathered(name, parts) for name, parts in (('targets', targets), ('norms', norms))]
            new = self._margin.advance(mx.nd, old, *whole)
            return [self._keep(new, part.context) for part in targets]

    def _gathered(self, name: str, parts: Sequence[mx.nd.NDArray]) -> mx.nd.NDArray:
        """The rows of all devices of all processes, on the first device."""
        mine = mx.nd.concat(*(part.as_in_context(parts[0].context) for part in parts), dim=0)
        group = self.process_group
        if group is None or group.size == 1:
            return mine
        rows = mx.nd.zeros((group.size, *mine.shape), ctx=mine.context, dtype=mine.dtype)
        rows[group.rank] = mine
        return group.add(f'head_{name}', rows).reshape((-1, 1))

    def _keep(self, new: State, context: mx.Context) -> State:
        """The statistics on a device: written to the parameters, and as arrays that later steps do not change."""
        there = {name: value.as_in_context(context) for name, value in new.items()}
        for name, parameter in self._parameters().items():
            there[name].copyto(parameter.data(context))
        return there

    def _parameters(self) -> Dict[str, mx.gluon.Parameter]:
        return {name: getattr(self, name) for name in sorted(self._margin.initial_state())}


class ClassHead(Block):
    """The head of a run: parameters, and the losses of all devices.

    Args:
        margin: the margin.
        classes: the number of classes.
        embedding: the size of embeddings.
        subcenters: rows of a class.
    """

    def __init__(self, margin: Margin, classes: int, embedding: int, subcenters: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.classes = ClassWeight(margin, classes, embedding, subcenters)
            self.moving = MovingStatistics(margin)
            self.margin_loss = MarginLoss(margin, classes)
        for block in (self.classes, self.margin_loss):
            block.hybridize(static_alloc=True, static_shape=True)

    def losses(self, embeddings: Sequence[mx.nd.NDArray], labels: Sequence[mx.nd.NDArray]) -> List[Any]:
        """The losses of the images of every device, with gradients recorded.

        Args:
            embeddings: (N, embedding) on each device.
            labels: (N,) on each device.

        Returns:
            For each device the losses (N,), the logits (N, classes) and the :class:`HeadInputs`.
        """
        inputs = [HeadInputs(*self.classes(x, label)) for x, label in zip(embeddings, labels)]
        states = self.moving.advance([each.target for each in inputs], [each.norm for each in inputs])
        results = []
        for each, label, state in zip(inputs, labels, states):
            further = {'target': each.target, 'norm': each.norm, **state}
            loss, logits = self.margin_loss(each.products, label, *(further[name] for name in self.margin_loss.inputs))
            results.append((loss, logits, each))
        return results

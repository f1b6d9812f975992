"""The training loss of classification, and the hits for the training accuracy."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import ProcessGroup, Settings, Teacher
from gluon_cbam.tasks.step_totals import images_over

from .criteria import CRITERIA
from .distillation import DistillationLoss
from .mixup import Mix, MixSampler

_SMALLEST = 1e-30  # sum of the weights of a step, so that one of weights 0 has no loss


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) mixed images, (N,) labels, the mix, (1,) factor, (N, K) teacher's."""

    images: mx.nd.NDArray
    labels: mx.nd.NDArray
    mix: Mix
    weight: Optional[mx.nd.NDArray] = None
    taught: Optional[mx.nd.NDArray] = None


class ClassificationObjective(Objective):
    """A loss of logits with label smoothing, for images that are mixed by mixup and cutmix.

    With weights of the classes, cross-entropy is divided by the weights of the images of a step, over all devices,
    processes and accumulated batches, so that it does not depend on how the images are divided. With a teacher, the
    loss is that of :class:`.distillation.DistillationLoss`.

    Args:
        settings: ``mixup``, ``cutmix``, ``image_size``, ``seed``, ``loss`` and what its criterion reads.
        preprocessing: normalizes the images, on the devices.
        rank: the rank of the process.
        weights: of the classes, (K,); None for none.
    """

    def __init__(
        self, settings: Settings, preprocessing: Preprocessing, rank: int = 0, weights: Optional[np.ndarray] = None
    ) -> None:
        self._normalize = Normalize(preprocessing)
        self._normalize.hybridize(static_alloc=True, static_shape=True)
        self._criterion = CRITERIA[settings['loss']](settings, weights)
        # a loss of 1000 times that of a guess means logits thousands apart, and wrong
        self.largest_loss = 1000 * self._criterion.of_guess * (1 if weights is None else max(1, float(weights.max())))
        self._sampler = MixSampler(
            settings['mixup'], settings['cutmix'], settings['image_size'], settings['seed'], rank
        )
        self._distillation = DistillationLoss(settings['distill_alpha'], settings['distill_temperature'])
        self._distillation.hybridize(static_alloc=True, static_shape=True)
        self._teacher: Optional[Teacher] = None
        self._process_group: Optional[ProcessGroup] = None

    def learn_from(self, teacher: Teacher) -> None:
        """The teacher sees the mixed images."""
        self._teacher = teacher

    def join(self, process_group: ProcessGroup) -> None:
        """Weights are added over all processes."""
        self._process_group = process_group

    def prepare(self, parts: Sequence[Batch], step: int, index: int) -> List[_Inputs]:
        """Normalize and mix the images."""
        mix = self._sampler(step, index)
        inputs = [_Inputs(mix.images(self._normalize(part.images)), part.labels, mix) for part in parts]
        if self._teacher is None:
            return inputs
        return [part._replace(taught=self._teacher(part.images)) for part in inputs]

    def prepare_step(self, batches: Iterable[Sequence[Batch]], step: int) -> Iterator[Sequence[Any]]:
        """Normalize and mix the images of each batch; weigh those of all batches before, where that is needed."""
        if not self._criterion.normalized:
            yield from super().prepare_step(batches, step)
            return
        batches = list(batches)
        factors = self._factors(batches, step)
        for index, parts in enumerate(batches):
            inputs = self.prepare(parts, step, index)
            yield [part._replace(weight=factor) for part, factor in zip(inputs, factors)]

    def _factors(self, batches: Sequence[Sequence[Batch]], step: int) -> List[mx.nd.NDArray]:
        """Images over the sum of their weights, (1,) on each device."""
        totals: List[mx.nd.NDArray] = []
        for index, parts in enumerate(batches):
            mix = self._sampler(step, index)
            totals += [self._criterion.weight_of(part.labels, mix) for part in parts]
        images = sum(len(part.labels) for parts in batches for part in parts)
        contexts = [part.labels.context for part in batches[0]]
        return images_over(totals, images, contexts, 'weights', self._process_group, _SMALLEST)

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """The loss of each image, (N,) in nats, and the logits."""
        logits = net(inputs.images)
        losses = self._criterion(logits, inputs.labels, inputs.mix)
        if inputs.weight is not None:
            losses = mx.nd.broadcast_mul(losses, inputs.weight)
        if inputs.taught is not None:
            losses = self._distillation(losses, logits, inputs.taught)
        return losses, logits

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, ...]:
        """The summed loss, and the hits: how many logits are largest at the label with the larger share."""
        hits = (outputs.argmax(axis=1) == inputs.mix.labels(inputs.labels)).sum()
        return losses.sum(), hits

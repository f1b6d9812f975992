"""The training loss of multi-label classification."""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import Settings, Teacher

from .loss import BinaryDistillationLoss, MultilabelLoss


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, C, H, W) mixed images, (N, K) mixed targets, and the teacher's logits."""

    images: mx.nd.NDArray
    targets: mx.nd.NDArray
    taught: Optional[mx.nd.NDArray] = None


class MultilabelObjective(Objective):
    """Binary cross-entropy of the logits, the mean over the classes, for images that are mixed by mixup and cutmix.

    With a teacher, the loss is that of :class:`.loss.BinaryDistillationLoss`.

    Args:
        settings: ``mixup``, ``cutmix``, ``image_size``, ``seed``, ``distill_alpha`` and ``distill_temperature`` are
            read.
        preprocessing: normalizes the images, on the devices.
        rank: the rank of the process.
        weights: of the positives of the classes, (K,); None for none.
    """

    def __init__(
        self, settings: Settings, preprocessing: Preprocessing, rank: int = 0, weights: Optional[np.ndarray] = None
    ) -> None:
        self._loss, self._normalize = MultilabelLoss(), Normalize(preprocessing)
        self._distillation = BinaryDistillationLoss(settings['distill_alpha'], settings['distill_temperature'])
        for block in (self._loss, self._normalize, self._distillation):
            block.hybridize(static_alloc=True, static_shape=True)
        # 1000 times the loss of a guess: logits are thousands apart, and wrong
        self.largest_loss = 1000 * math.log(2) * (1 if weights is None else max(1, float(weights.max())))
        self._sampler = MixSampler(
            settings['mixup'], settings['cutmix'], settings['image_size'], settings['seed'], rank
        )
        self._weights = weights
        self._on_devices: Dict[mx.Context, mx.nd.NDArray] = {}
        self._teacher: Optional[Teacher] = None

    def learn_from(self, teacher: Teacher) -> None:
        """The teacher sees the mixed images."""
        self._teacher = teacher

    def prepare(self, parts: Sequence[Batch], step: int, index: int) -> List[_Inputs]:
        """Normalize and mix the images, and mix their labels."""
        mix = self._sampler(step, index)
        inputs = [_Inputs(mix.images(self._normalize(part.images)), mix.blended(part.labels)) for part in parts]
        if self._teacher is None:
            return inputs
        return [part._replace(taught=self._teacher(part.images)) for part in inputs]

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """The loss of each image, (N,) in nats, and the logits."""
        logits = net(inputs.images)
        losses = self._loss(logits, inputs.targets, *self._weights_on(logits.context))
        if inputs.taught is not None:
            losses = self._distillation(losses, logits, inputs.taught)
        return losses, logits

    def _weights_on(self, context: mx.Context) -> Sequence[mx.nd.NDArray]:
        """The weights on a device, if there are any."""
        if self._weights is None:
            return ()
        if context not in self._on_devices:
            self._on_devices[context] = mx.nd.array(self._weights, ctx=context)
        return (self._on_devices[context],)

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, ...]:
        """The summed loss."""
        return (losses.sum(),)

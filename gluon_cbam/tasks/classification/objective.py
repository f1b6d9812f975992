"""The training loss of classification, and the hits for the training accuracy."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import Settings

from .criteria import CRITERIA
from .mixup import Mix, MixSampler


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images, mixed; (N,) labels; how they are mixed."""

    images: mx.nd.NDArray
    labels: mx.nd.NDArray
    mix: Mix


class ClassificationObjective(Objective):
    """A loss of logits with label smoothing, for images that are mixed by mixup and cutmix.

    Args:
        settings: ``mixup``, ``cutmix``, ``image_size``, ``seed``, ``loss`` and what its criterion reads.
        preprocessing: normalizes the images, on the devices.
        rank: the rank of the process.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing, rank: int = 0) -> None:
        self._normalize = Normalize(preprocessing)
        self._normalize.hybridize(static_alloc=True, static_shape=True)
        self._criterion = CRITERIA[settings['loss']](settings)
        # a loss of 1000 times that of a guess means logits thousands apart, and wrong
        self.largest_loss = 1000 * self._criterion.of_guess
        self._sampler = MixSampler(
            settings['mixup'], settings['cutmix'], settings['image_size'], settings['seed'], rank
        )

    def prepare(self, parts: Sequence[Batch], step: int, index: int) -> List[_Inputs]:
        """Normalize and mix the images."""
        mix = self._sampler(step, index)
        return [_Inputs(mix.images(self._normalize(part.images)), part.labels, mix) for part in parts]

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """The loss of each image, (N,) in nats, and the logits."""
        logits = net(inputs.images)
        return self._criterion(logits, inputs.labels, inputs.mix), logits

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, ...]:
        """The summed loss, and the hits: how many logits are largest at the label with the larger share."""
        hits = (outputs.argmax(axis=1) == inputs.mix.labels(inputs.labels)).sum()
        return losses.sum(), hits

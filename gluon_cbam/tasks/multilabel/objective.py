"""The training loss of multi-label classification."""

from __future__ import annotations

import math
from typing import List, NamedTuple, Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.tasks.classification.loss import BinaryCrossEntropy
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import Settings


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images and (N, K) targets, both mixed."""

    images: mx.nd.NDArray
    targets: mx.nd.NDArray


class MultilabelObjective(Objective):
    """Binary cross-entropy of the logits, the mean over the classes, for images that are mixed by mixup and cutmix.

    Args:
        settings: ``mixup``, ``cutmix``, ``image_size`` and ``seed`` are read.
        preprocessing: normalizes the images, on the devices.
        rank: the rank of the process.
    """

    largest_loss = 1000 * math.log(2)  # 1000 times that of a guess: logits are thousands apart, and wrong

    def __init__(self, settings: Settings, preprocessing: Preprocessing, rank: int = 0) -> None:
        self._loss, self._normalize = BinaryCrossEntropy(), Normalize(preprocessing)
        for block in (self._loss, self._normalize):
            block.hybridize(static_alloc=True, static_shape=True)
        self._sampler = MixSampler(
            settings['mixup'], settings['cutmix'], settings['image_size'], settings['seed'], rank
        )

    def prepare(self, parts: Sequence[Batch], step: int, index: int) -> List[_Inputs]:
        """Normalize and mix the images, and mix their labels."""
        mix = self._sampler(step, index)
        return [_Inputs(mix.images(self._normalize(part.images)), mix.blended(part.labels)) for part in parts]

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """The loss of each image, (N,) in nats, and the logits."""
        logits = net(inputs.images)
        return self._loss(logits, inputs.targets), logits

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, ...]:
        """The summed loss."""
        return (losses.sum(),)

"""The training loss of segmentation."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.class_masks.values import IGNORED
from gluon_cbam.data.loading.mask_training import MaskBatch
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Normalize
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import ProcessGroup, Settings
from gluon_cbam.tasks.step_totals import images_over

from .loss import PixelLoss


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images, (N, H, W) float32 masks, and the (1,) weight of a pixel."""

    images: mx.nd.NDArray
    masks: mx.nd.NDArray
    weight: mx.nd.NDArray


class SegmentationObjective(Objective):
    """The cross-entropy of the pixels, and that of the auxiliary head times its weight.

    Both are divided by the number of pixels that are not ignored in a step, over all devices, processes and accumulated
    batches, so that they do not depend on how the images are divided; a step without any has no loss. The mean over the
    images of a step is this loss: an image has its sum times images over pixels.

    Args:
        settings: the settings of the run.
        preprocessing: normalizes the images, on the devices.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing) -> None:
        self._loss, self._normalize = PixelLoss(), Normalize(preprocessing)
        for block in (self._loss, self._normalize):
            block.hybridize(static_alloc=True, static_shape=True)
        self._aux_weight = settings['aux_weight']
        self._process_group: Optional[ProcessGroup] = None

    def join(self, process_group: ProcessGroup) -> None:
        """Pixels are counted over all processes."""
        self._process_group = process_group

    def prepare(self, parts: Sequence[MaskBatch], step: int, index: int) -> List[_Inputs]:
        """The inputs of a batch that is a step of its own."""
        return self._inputs(parts, self._weights([parts]))

    def prepare_step(self, batches: Iterable[Sequence[MaskBatch]], step: int) -> Iterator[List[_Inputs]]:
        """Count the pixels of all batches, and normalize the images of each."""
        batches = list(batches)
        weights = self._weights(batches)
        for parts in batches:
            yield self._inputs(parts, weights)

    def _inputs(self, parts: Sequence[MaskBatch], weights: Sequence[mx.nd.NDArray]) -> List[_Inputs]:
        return [
            _Inputs(self._normalize(part.images), part.masks.astype('float32'), weight)
            for part, weight in zip(parts, weights)
        ]

    def _weights(self, batches: Sequence[Sequence[MaskBatch]]) -> List[mx.nd.NDArray]:
        """Images over counted pixels of a step on each device, (1,); no device is waited for."""
        contexts = [part.masks.context for part in batches[0]]
        counts = [(part.masks.astype('float32') != IGNORED).sum() for parts in batches for part in parts]
        images = sum(len(part.images) for parts in batches for part in parts)
        return images_over(counts, images, contexts, 'pixels', self._process_group)

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, Any]:
        """The loss of each image, (N,), and its two terms."""
        terms = [mx.nd.broadcast_mul(self._loss(each, inputs.masks), inputs.weight) for each in net(inputs.images)]
        aux = self._aux_weight * terms[1] if len(terms) > 1 else mx.nd.zeros_like(terms[0])
        return terms[0] + aux, (terms[0], aux)

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: Any) -> Tuple[mx.nd.NDArray, ...]:
        """The sums of the losses and of both terms."""
        return losses.sum(), outputs[0].sum(), outputs[1].sum()

"""The training loss of detectors."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.loading.box_training import DetectionBatch
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Normalize
from gluon_cbam.models.registry import build
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import ProcessGroup, Settings

from .losses.ssd import SSDLoss
from .targets.ssd import SSDTargets


class _Parts(NamedTuple):
    """What the loss of a kind of detectors is made of.

    Attributes:
        targets: from the settings, and whether there are crowds, to a function from boxes and anchors to labels (N, A),
            of which positive ones are above 0, and further targets.
        loss: from the settings to a function from the outputs of the network and these targets to the class term and
            the box term of each image, (N,), summed over its anchors.
    """

    targets: Callable[[Settings, bool], Callable[[mx.nd.NDArray, mx.nd.NDArray], Sequence[mx.nd.NDArray]]]
    loss: Callable[[Settings], mx.gluon.HybridBlock]


_DETECTORS: Dict[str, _Parts] = {
    'ssd': _Parts(
        lambda settings, crowds: SSDTargets(settings['match_iou'], crowds),
        lambda settings: SSDLoss(settings['negatives']),
    ),
}
"""``detector`` of a network -> its loss."""


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images, targets, (N,) numbers of positive anchors, (1,) weight."""

    images: mx.nd.NDArray
    targets: Sequence[mx.nd.NDArray]
    positives: mx.nd.NDArray
    weight: mx.nd.NDArray


class DetectionObjective(Objective):
    """The class and the box terms of a detector, over its positive anchors.

    Both terms are divided by the number of positive anchors of a batch over all devices and processes, so that they do
    not depend on how the batch is divided; a batch without any has no loss. The mean over the images of a batch is this
    loss: an image has its sums times images over positives. Accumulated batches are divided by the positives of each,
    and averaged.

    Args:
        settings: the settings of the run; those of the network and of the task are read.
        preprocessing: normalizes the images, on the devices.
        data: the training data, which may have crowds.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing, data: BoxRecords) -> None:
        self._net = build(settings['network'], classes=settings['classes'], **settings['option'])  # for its anchors
        parts = _DETECTORS[self._net.detector]
        ignored = len(data.objects) - data.counted + (data.difficult if settings['ignore_difficult'] else 0)
        self._targets, self._loss = parts.targets(settings, ignored > 0), parts.loss(settings)
        self._loss.hybridize(static_alloc=True, static_shape=True)
        self._normalize = Normalize(preprocessing)
        self._normalize.hybridize(static_alloc=True, static_shape=True)
        self._box_weight = settings['box_weight']
        self._process_group: Any = None

    def join(self, process_group: ProcessGroup) -> None:
        """Positive anchors are counted over all processes."""
        self._process_group = process_group

    def prepare(self, parts: Sequence[DetectionBatch], step: int, index: int) -> List[_Inputs]:
        """Normalize the images, make the targets, and count the positive anchors."""
        targets = [self._targets_of(part) for part in parts]
        positives = [(labels > 0).sum(axis=1) for labels, *_ in targets]
        weights = self._weights(positives, sum(len(part.images) for part in parts))
        return [
            _Inputs(self._normalize(part.images), *of_part)
            for part, *of_part in zip(parts, targets, positives, weights)
        ]

    def _targets_of(self, part: DetectionBatch) -> Sequence[mx.nd.NDArray]:
        height, width = part.images.shape[1:3]
        return self._targets(part.boxes, self._net.anchors(height, width, part.boxes.context))

    def _weights(self, positives: Sequence[mx.nd.NDArray], images: int) -> List[mx.nd.NDArray]:
        """Images over positive anchors of the batch on each device, (1,); no device is waited for."""
        first = positives[0].context
        total = mx.nd.add_n(*(each.sum().as_in_context(first) for each in positives))
        if self._process_group is not None:
            total, images = self._process_group.add('positives', total), images * self._process_group.size
        weight = images / mx.nd.maximum(total, 1)
        return [weight.as_in_context(each.context) for each in positives]

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, Any]:
        """The loss of each image, (N,), and its two terms."""
        of_classes, of_boxes = self._loss(*net(inputs.images), *inputs.targets)
        terms = [mx.nd.broadcast_mul(of_classes, inputs.weight)]
        terms.append(mx.nd.broadcast_mul(of_boxes, inputs.weight * self._box_weight))
        return terms[0] + terms[1], terms

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: Any) -> Tuple[mx.nd.NDArray, ...]:
        """The sums of the losses, of both terms, and of the positive anchors."""
        return losses.sum(), outputs[0].sum(), outputs[1].sum(), inputs.positives.sum()

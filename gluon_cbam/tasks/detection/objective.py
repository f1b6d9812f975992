"""The training loss of detectors."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx

from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.loading.box_training import DetectionBatch
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Normalize
from gluon_cbam.models.registry import build
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import ProcessGroup, Settings
from gluon_cbam.tasks.step_totals import images_over

from .losses.centernet import CenterNetCriterion
from .losses.criterion import Criterion, Place
from .losses.faster_rcnn import FasterRCNNCriterion
from .losses.mask_rcnn import MaskRCNNCriterion
from .losses.ssd import SSDCriterion
from .losses.yolo3 import YOLO3Criterion
from .terms import kind_of

CRITERIA: Dict[str, Callable[[Any, Settings, bool], Criterion]] = {
    'ssd': SSDCriterion,
    'faster_rcnn': FasterRCNNCriterion,
    'mask_rcnn': MaskRCNNCriterion,
    'centernet': CenterNetCriterion,
    'yolo3': YOLO3Criterion,
}
"""``kind`` of a detector -> its loss, from a network for its sizes, the settings, and whether there are crowds."""

_MASKS = 2  # the place of the masks in a batch that has some
_Targets = Sequence[mx.nd.NDArray]  # of a device's part of a batch


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images, targets, and the (1,) weight of their terms."""

    images: mx.nd.NDArray
    targets: _Targets
    weight: mx.nd.NDArray


class DetectionObjective(Objective):
    """The terms of the loss of a detector.

    They are divided by the positive anchors, or whatever the :class:`.losses.criterion.Criterion` counts, of a step
    over all devices, processes and accumulated batches, so that they do not depend on how the images are divided; a
    step without any has no loss. The mean over the images of a step is this loss: an image has its sums times images
    over positives. The targets of all batches of a step are made before the first is trained on, and the images of a
    batch are normalized when it is.

    Args:
        settings: the settings of the run; those of the network and of the task are read.
        preprocessing: normalizes the images, on the devices.
        data: the training data, which may have crowds.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing, data: BoxRecords) -> None:
        net = build(settings['network'], classes=settings['classes'], **settings['option'])
        ignored = len(data.objects) - data.counted + (data.difficult if settings['ignore_difficult'] else 0)
        self._criterion = CRITERIA[kind_of(settings['network'])](net, settings, ignored > 0)
        self._normalize = Normalize(preprocessing)
        self._normalize.hybridize(static_alloc=True, static_shape=True)
        self._process_group: Optional[ProcessGroup] = None

    def join(self, process_group: ProcessGroup) -> None:
        """What the terms are divided by is counted over all processes."""
        self._process_group = process_group

    def prepare(self, parts: Sequence[DetectionBatch], step: int, index: int) -> List[_Inputs]:
        """The inputs of a batch that is a step of its own."""
        targets = self._targets(parts, step, index)
        return self._inputs(parts, targets, self._weights([targets], [parts]))

    def prepare_step(self, batches: Iterable[Sequence[DetectionBatch]], step: int) -> Iterator[List[_Inputs]]:
        """Make the targets of all batches, count what their terms are divided by, and normalize the images of each."""
        batches = list(batches)
        targets = [self._targets(parts, step, index) for index, parts in enumerate(batches)]
        weights = self._weights(targets, batches)
        for parts, of_batch in zip(batches, targets):
            yield self._inputs(parts, of_batch, weights)

    def _inputs(
        self, parts: Sequence[DetectionBatch], targets: Sequence[_Targets], weights: Sequence[mx.nd.NDArray]
    ) -> List[_Inputs]:
        images = [self._normalize(part.images) for part in parts]
        return [_Inputs(*each) for each in zip(images, targets, weights)]

    def _targets(self, parts: Sequence[DetectionBatch], step: int, index: int) -> List[_Targets]:
        """The targets of a batch on each device, and its masks, if it has some."""
        rank = 0 if self._process_group is None else self._process_group.rank
        first = rank * sum(len(part.images) for part in parts)
        found: List[_Targets] = []
        for part in parts:
            height, width = part.images.shape[1:3]
            targets = self._criterion.targets(part.boxes, height, width, Place(step, index, first))
            found.append([*targets, *part[_MASKS:]])
            first += len(part.images)
        return found

    def _weights(
        self, targets: Sequence[Sequence[_Targets]], batches: Sequence[Sequence[DetectionBatch]]
    ) -> List[mx.nd.NDArray]:
        """Images over divisors of a step on each device, (1,); no device is waited for."""
        contexts = [part.boxes.context for part in batches[0]]
        counted = [self._criterion.divisors(each) for of_batch in targets for each in of_batch]
        divisors = [each.sum() for each in counted if each is not None]
        if not divisors:
            return [mx.nd.ones((1,), ctx=context) for context in contexts]
        images = sum(len(part.images) for parts in batches for part in parts)
        return images_over(divisors, images, contexts, 'positives', self._process_group)

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, Any]:
        """The loss of each image, (N,); its terms, and the positives."""
        found, positives = self._criterion(net, inputs.images, inputs.targets)
        terms = [mx.nd.broadcast_mul(each, inputs.weight) for each in found]
        return mx.nd.add_n(*terms), (terms, positives)

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: Any) -> Tuple[mx.nd.NDArray, ...]:
        """The sums of the losses, of each term, and of the positives."""
        terms, positives = outputs
        return (losses.sum(), *(each.sum() for each in terms), positives.sum())

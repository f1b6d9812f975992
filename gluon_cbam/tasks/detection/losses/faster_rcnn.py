"""The loss of Faster R-CNN (Ren et al., NeurIPS 2015, equation 1; Girshick, ICCV 2015, section 2.3)."""

from __future__ import annotations

from typing import Callable, List, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.faster_rcnn import FasterRCNN
from gluon_cbam.tasks.detection.targets.faster_rcnn import RegionTargets
from gluon_cbam.tasks.protocols import Settings

from .criterion import Criterion, Place

_KEY = 0x524F49  # keeps these draws apart from others of the same seed
_REGION_RHO, _RHO = 1 / 9, 1.0


class FasterRCNNLoss(mx.gluon.HybridBlock):
    """The terms of both stages, each divided by the examples of the stage in the image, as in GluonCV.

    The loss is the sigmoid cross-entropy of anchors and the Huber loss (1/9) of their offsets over 256 anchors, and the
    softmax cross-entropy of RoIs and the Huber loss (1) of their offsets over the sampled RoIs.

    Args:
        box_weight: factor of both box terms.

    Inputs:
        The outputs of a :class:`gluon_cbam.models.detection.faster_rcnn.FasterRCNN` in training, and the labels (N, A)
        and offsets (N, A, 4) of :class:`gluon_cbam.tasks.detection.targets.faster_rcnn.RegionTargets`.

    Outputs:
        The four terms, (N,) each, and the number of positive RoIs of each image, (N,).
    """

    def __init__(self, box_weight: float = 1.0) -> None:
        super().__init__()
        self._box_weight = box_weight

    def hybrid_forward(
        self,
        F: OpNamespace,
        anchor_logits: Tensor,
        anchor_offsets: Tensor,
        logits: Tensor,
        offsets: Tensor,
        labels: Tensor,
        targets: Tensor,
        anchor_labels: Tensor,
        anchor_targets: Tensor,
    ) -> Tuple[Tensor, ...]:
        """See :class:`FasterRCNNLoss`."""
        entropy = F.relu(anchor_logits) - anchor_logits * (anchor_labels > 0)
        entropy = entropy + F.Activation(-F.abs(anchor_logits), act_type='softrelu')
        of_classes = -F.pick(F.log_softmax(logits, axis=-1), F.relu(labels), axis=-1)  # (N, S)
        return (
            _mean(F, entropy, anchor_labels >= 0, anchor_labels),
            _mean(F, _huber(F, anchor_offsets - anchor_targets, _REGION_RHO), anchor_labels > 0, anchor_labels)
            * self._box_weight,
            _mean(F, of_classes, labels >= 0, labels),
            _mean(F, _huber(F, offsets - targets, _RHO), labels > 0, labels) * self._box_weight,
            F.sum(labels > 0, axis=1),
        )


def _huber(F: OpNamespace, difference: Tensor, rho: float) -> Tensor:
    """The Huber loss of offsets (N, K, 4), summed over the four: (N, K)."""
    distance = F.abs(difference)
    return F.sum(F.where(distance > rho, distance - rho / 2, F.square(distance) / (2 * rho)), axis=2)


def _mean(F: OpNamespace, values: Tensor, chosen: Tensor, labels: Tensor) -> Tensor:
    """The sum of chosen values (N, K) over the examples of an image, which are those with a label from 0: (N,)."""
    return F.sum(values * chosen, axis=1) / F.maximum(F.sum(labels >= 0, axis=1), 1)  # a NaN times 0 is a NaN


class FasterRCNNCriterion(Criterion):
    """Trains :class:`gluon_cbam.models.detection.faster_rcnn.FasterRCNN` by :class:`FasterRCNNLoss`.

    Which anchors and RoIs are examples follows from the seed of the run and the place of the image in it.

    Args:
        net: a network like the one that is trained, for its sizes; not initialized.
        settings: the settings of the run.
        crowds: whether there may be crowd regions.

    Attributes:
        loss_of: the loss, from the factor of its box terms.
    """

    loss_of: Callable[[float], mx.gluon.HybridBlock] = FasterRCNNLoss

    def __init__(self, net: FasterRCNN, settings: Settings, crowds: bool) -> None:
        self._net, self._seed = net, settings['seed']
        self._targets = RegionTargets(crowds)
        self._loss = self.loss_of(settings['box_weight'])
        self._loss.hybridize(static_alloc=True, static_shape=True)

    def targets(self, boxes: mx.nd.NDArray, height: int, width: int, place: Place) -> Sequence[mx.nd.NDArray]:
        """The objects, the order of the RoIs, and the labels and offsets of the anchors."""
        anchors = self._net.anchors(height, width, boxes.context)
        orders = [self._orders(place, number, [len(anchors), self._net.training_proposals + boxes.shape[1]])
                  for number in range(len(boxes))]  # fmt: skip
        of_anchors, of_rois = (mx.nd.array(np.stack(each), ctx=boxes.context) for each in zip(*orders))
        return boxes, of_rois, *self._targets(boxes, anchors, of_anchors, height, width)

    def _orders(self, place: Place, number: int, lengths: Sequence[int]) -> List[np.ndarray]:
        """A permutation of each length for an image of the batch."""
        key = [_KEY, self._seed, place.step, place.batch, place.first + number]
        random = np.random.default_rng(np.random.SeedSequence(key))
        return [random.permutation(length).astype(np.float32) for length in lengths]

    def __call__(
        self, net: mx.gluon.HybridBlock, images: mx.nd.NDArray, targets: Sequence[mx.nd.NDArray]
    ) -> Tuple[Sequence[mx.nd.NDArray], mx.nd.NDArray]:
        """The terms of :class:`FasterRCNNLoss`, and the positive RoIs."""
        boxes, order, labels, offsets, *masks = targets
        *terms, positives = self._loss(*net(images, boxes, order, *masks), labels, offsets)
        return terms, positives

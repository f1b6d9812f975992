"""The loss of Mask R-CNN (He et al., ICCV 2017, section 3): that of Faster R-CNN, and a term of masks."""

from __future__ import annotations

from typing import Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor

from .faster_rcnn import FasterRCNNCriterion, FasterRCNNLoss


class MaskRCNNLoss(mx.gluon.HybridBlock):
    """The terms of :class:`.faster_rcnn.FasterRCNNLoss`, and the sigmoid cross-entropy of masks.

    Of each positive RoI whose object has a mask, the mask of its class counts, with a mean over its pixels. As the
    other terms, that of masks is divided by its examples in the image, where torchvision and GluonCV divide by those of
    a batch on a device, so that it does not depend on how images are divided.

    Args:
        box_weight: see :class:`.faster_rcnn.FasterRCNNLoss`.

    Inputs:
        The outputs of a :class:`gluon_cbam.models.detection.mask_rcnn_fpn.MaskRCNNFPN` in training, and the labels
        (N, A) and offsets (N, A, 4) of :class:`gluon_cbam.tasks.detection.targets.faster_rcnn.RegionTargets`.

    Outputs:
        The five terms, (N,) each, and the number of positive RoIs of each image, (N,).
    """

    def __init__(self, box_weight: float = 1.0) -> None:
        super().__init__()
        self._of_boxes = FasterRCNNLoss(box_weight)

    def hybrid_forward(
        self,
        F: OpNamespace,
        anchor_logits: Tensor,
        anchor_offsets: Tensor,
        logits: Tensor,
        offsets: Tensor,
        labels: Tensor,
        targets: Tensor,
        mask_logits: Tensor,
        mask_targets: Tensor,
        masked: Tensor,
        anchor_labels: Tensor,
        anchor_targets: Tensor,
    ) -> Tuple[Tensor, ...]:
        """See :class:`MaskRCNNLoss`."""
        *terms, positives = self._of_boxes(
            anchor_logits, anchor_offsets, logits, offsets, labels, targets, anchor_labels, anchor_targets
        )
        entropy = F.relu(mask_logits) - mask_logits * mask_targets
        entropy = entropy + F.Activation(-F.abs(mask_logits), act_type='softrelu')
        of_rois = F.mean(entropy, axis=(2, 3))  # (N, P)
        of_masks = F.sum(of_rois * masked, axis=1) / F.maximum(F.sum(masked, axis=1), 1)  # a NaN times 0 is a NaN
        return (*terms, of_masks, positives)


class MaskRCNNCriterion(FasterRCNNCriterion):
    """Trains :class:`gluon_cbam.models.detection.mask_rcnn_fpn.MaskRCNNFPN` by :class:`MaskRCNNLoss`."""

    loss_of = MaskRCNNLoss

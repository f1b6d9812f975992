"""Mask R-CNN with a feature pyramid (He et al., ICCV 2017, arXiv 1703.06870): :mod:`.faster_rcnn_fpn` with masks.

RoIs are pooled a second time, 14 x 14, for a head that computes a mask of 28 x 28 pixels for each class. In training
these are the positive RoIs; otherwise the detections that are kept, so that the masks cost nothing for boxes that are
left out. As in torchvision and Detectron2, and other than in GluonCV, detections are clipped at the borders of the
input before their masks are computed.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from mxnet.gluon import HybridBlock

from gluon_cbam.attention.blocks import boolean, positive_int
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import MaskRCNNVariant
from gluon_cbam.models.options import option_names

from .backbone import chosen_backbone, known_options
from .boxes import clipped
from .faster_rcnn import FasterRCNN
from .faster_rcnn_fpn import FasterRCNNFPN
from .mask_head import MaskHead, mask_targets, of_class
from .region_heads import AttentionFactory
from .roi_pooling import with_images


class MaskRCNNFPN(FasterRCNNFPN):
    """See the docstring of the module.

    Args:
        variant: see :class:`.faster_rcnn.FasterRCNN`.
        mask_channels: channels of the convolutions of the mask head.
        shared_rois: whether RoIs are pooled 14 x 14 for boxes, too, and averaged to 7 x 7, as in GluonCV.
        **options: see :class:`.faster_rcnn_fpn.FasterRCNNFPN`.

    Attributes:
        finds_masks: True; other detectors have no such attribute.
        shared_rois: see above.

    Inputs:
        (N, C, H, W). While training also the objects, an order, see :class:`.faster_rcnn.FasterRCNN`, and the masks of
        the objects (N, M, S, S), see :func:`.mask_head.mask_targets`.

    Outputs:
        While training, after those of :class:`.faster_rcnn.FasterRCNN`: for the first P RoIs of each image, of which
        the positive ones are some, the logits of the mask of their class (N, P, 28, 28), the mask that they should
        have, and which of them are positive and have one (N, P). Otherwise: detections (N, keep, 6) inside of the
        input, and the probability of each pixel of their masks (N, keep, 28, 28), 0 in rows without a detection. The
        mask fills the box.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    finds_masks = True

    def __init__(
        self, variant: MaskRCNNVariant, mask_channels: int = 256, shared_rois: bool = False, **options: Any
    ) -> None:
        self._mask_channels = positive_int('mask_channels', mask_channels)
        self.shared_rois = boolean('shared_rois', shared_rois)
        self._mask_roi_size, self._mask_size = variant.mask_roi_size, 2 * variant.mask_roi_size
        super().__init__(variant, **options)

    def _add_maps(self, network: HybridBlock, attention: AttentionFactory) -> Tuple[int, int]:
        found = super()._add_maps(network, attention)
        self.mask_head = MaskHead(self._channels, self._mask_channels, self.classes, attention)
        self.adaptable = (*self.adaptable, 'mask_head.predictor.')
        return found

    def vectors(self, F: OpNamespace, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        """See :meth:`.faster_rcnn.FasterRCNN.vectors`."""
        if not self.shared_rois:
            return super().vectors(F, maps, rois)
        pooled = self.pooled(F, maps, rois, self._mask_roi_size)
        return self.head(F.Pooling(pooled, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='avg'))

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Tuple[Tensor, ...]:
        """Compute the outputs of training; see :class:`MaskRCNNFPN`."""
        objects, order, masks = inputs
        maps, count = self.maps(F, x), self._sampling.most_positive
        rois, outputs = self.sampled(F, x, maps, objects, order)
        boxes, labels, numbers = (
            F.slice_axis(each, axis=1, begin=0, end=count) for each in (rois.boxes, rois.labels, rois.objects)
        )
        logits = self._masks(F, maps, boxes, F.relu(labels - 1), count)
        targets, known = mask_targets(F, masks, objects, boxes, numbers, count, self._mask_size)
        return (*outputs, logits, targets, known * (labels > 0))

    def final(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute detections and masks; see :class:`MaskRCNNFPN`."""
        maps, count = self.maps(F, x), self.suppression.keep
        rows = self.found(F, x, maps)
        classes, boxes = F.slice_axis(rows, axis=2, begin=0, end=1), F.slice_axis(rows, axis=2, begin=2, end=6)
        exist = classes >= 0  # (N, keep, 1)
        boxes = F.broadcast_mul(clipped(F, boxes, x), exist)
        logits = self._masks(F, maps, boxes, F.relu(classes).reshape((0, -1)), count)
        masks = F.broadcast_mul(F.sigmoid(logits), exist.expand_dims(3))
        corners = F.broadcast_add(boxes, exist - 1)  # -1 in rows without a detection
        return F.concat(F.slice_axis(rows, axis=2, begin=0, end=2), corners, dim=2), masks

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """Compute the detections without their masks."""
        return self.final(F, x)[0]

    def candidates(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """See :meth:`.detector.Detector.candidates`.

        Raises:
            UsageError: always, since masks are computed for the boxes that are kept.
        """
        raise UsageError('masks are of the boxes that non-maximum suppression keeps: leave out --no-nms')

    def _masks(self, F: OpNamespace, maps: Sequence[Tensor], boxes: Tensor, classes: Tensor, count: int) -> Tensor:
        """The logits of the masks of boxes (N, count, 4) for their classes (N, count): (N, count, size, size)."""
        pooled = self.pooled(F, maps, with_images(F, boxes), self._mask_roi_size)
        return of_class(F, self.mask_head(pooled), classes, count, self._mask_size)

    def _most_rois(self) -> int:
        return max(super()._most_rois(), self.suppression.keep)


def build(variant: MaskRCNNVariant, **options: Any) -> MaskRCNNFPN:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.two_stage.MASK_RCNNS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return MaskRCNNFPN(variant, **options)


def backbone_of(variant: MaskRCNNVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(FasterRCNN, variant.backbone, options)


def options(variant: MaskRCNNVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return list(dict.fromkeys([*option_names(FasterRCNN, FasterRCNNFPN, MaskRCNNFPN), *known_options()]))

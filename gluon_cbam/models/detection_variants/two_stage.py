"""Rows of the detectors with two stages: Faster R-CNN and Mask R-CNN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Tuple


@dataclass(frozen=True)
class FasterRCNNVariant:
    """A detector with two stages: models/detection/faster_rcnn.py.

    Attributes:
        kind: how it is trained: a key of ``gluon_cbam.tasks.detection.terms.TERMS``.
        module: its form.
        name: the name of the model.
        image_size: height and width that it is trained at, in pixels.
        strides: stride of each map that the proposal network reads.
        anchor_sizes: the lengths of square anchors in pixels, as many for each map.
        region_channels: channels of the proposal network.
        training_proposals: proposals of an image that the RoIs of training are chosen from.
        proposals: RoIs of an image outside training.
        smallest_proposal: least width and height of a proposal, in pixels.
        samples: RoIs of an image in training.
        roi_size: cells of a pooled RoI along each side.
        nms_threshold: IoU from which a detection leaves out others of its class.
        nms_top: detections of an image before non-maximum suppression.
        training_candidates: proposals of an image before non-maximum suppression in training.
        test_candidates: the same outside training.
        ratios: height over width of the anchors.
        crop_ratio: without effect, since whole images are seen.
        resize: see :class:`gluon_cbam.data.loading.preprocessing.Preprocessing`.
        augmentation: the augmentation of training, which moves images and boxes together.
        lr: see :class:`.single_shot.SSDVariant`.
        classes: the default number of classes, those of COCO.
        backbone: the default backbone.
    """

    detects: ClassVar[bool] = True
    kind: ClassVar[str] = 'faster_rcnn'
    module: str
    name: str
    image_size: int
    strides: Tuple[int, ...]
    anchor_sizes: Tuple[float, ...]
    region_channels: int
    training_proposals: int
    proposals: int
    smallest_proposal: float
    samples: int
    roi_size: int
    nms_threshold: float
    nms_top: int
    training_candidates: int = 12000
    test_candidates: int = 6000
    ratios: Tuple[float, ...] = (1 / 2, 1, 2)
    crop_ratio: float = 1.0
    resize: str = 'letterbox'
    augmentation: str = 'flip'
    lr: float = 0.01
    classes: int = 80
    backbone: str = 'resnet50'


@dataclass(frozen=True)
class MaskRCNNVariant(FasterRCNNVariant):
    """A detector that finds masks, too: models/detection/mask_rcnn_fpn.py.

    Attributes:
        mask_roi_size: cells of a RoI along each side that a mask is computed from; a mask has twice as many.
    """

    kind: ClassVar[str] = 'mask_rcnn'
    mask_roi_size: int = 14


# GluonCV's faster_rcnn_fpn_resnet50_v1b_coco
_FPN: Dict[str, Any] = dict(
    image_size=800,
    strides=(4, 8, 16, 32, 64),
    anchor_sizes=(32, 64, 128, 256, 512),
    region_channels=1024,
    training_proposals=2000,
    proposals=1000,
    smallest_proposal=1,
    samples=512,
    roi_size=7,
    nms_threshold=0.5,
    nms_top=1000,
)
# GluonCV's faster_rcnn_resnet50_v1b_voc
_C4: Dict[str, Any] = dict(
    image_size=600,
    strides=(16,),
    anchor_sizes=(32, 64, 128, 256, 512),
    region_channels=1024,
    training_proposals=2000,
    proposals=300,
    smallest_proposal=16,
    samples=128,
    roi_size=14,
    nms_threshold=0.3,
    nms_top=400,
)

FASTER_RCNNS = (
    FasterRCNNVariant(module='detection.faster_rcnn_fpn', name='faster_rcnn_fpn', **_FPN),
    FasterRCNNVariant(module='detection.faster_rcnn_c4', name='faster_rcnn_c4', **_C4),
)
MASK_RCNNS = (MaskRCNNVariant(module='detection.mask_rcnn_fpn', name='mask_rcnn_fpn', **_FPN),)

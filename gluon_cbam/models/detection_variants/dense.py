"""Rows of the detectors of points and cells: CenterNet and YOLOv3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple


@dataclass(frozen=True)
class CenterNetVariant:
    """A CenterNet: models/detection/centernet.py.

    Attributes:
        kind: see :class:`.single_shot.SSDVariant`.
        name: the name of the model.
        image_size: see :class:`.single_shot.SSDVariant`.
        up_channels: channels of the maps of stride 16, 8 and 4, that are made from the last one of the backbone.
        head_channels: channels between the convolutions of a head.
        crop_ratio: see :class:`.single_shot.SSDVariant`.
        resize: see :class:`.single_shot.SSDVariant`.
        augmentation: see :class:`.single_shot.SSDVariant`.
        lr: see :class:`.single_shot.SSDVariant`.
        classes: see :class:`.single_shot.SSDVariant`.
        backbone: see :class:`.single_shot.SSDVariant`.
    """

    module: ClassVar[str] = 'detection.centernet'
    detects: ClassVar[bool] = True
    kind: ClassVar[str] = 'centernet'
    name: str
    image_size: int = 512
    up_channels: Tuple[int, int, int] = (256, 128, 64)
    head_channels: int = 64
    crop_ratio: float = 1.0
    resize: str = 'letterbox'
    augmentation: str = 'centernet'
    lr: float = 0.001
    classes: int = 20
    backbone: str = 'resnet50'


@dataclass(frozen=True)
class YOLO3Variant:
    """A YOLOv3: models/detection/yolo3.py.

    Attributes:
        kind: see :class:`.single_shot.SSDVariant`.
        name: the name of the model.
        image_size: see :class:`.single_shot.SSDVariant`.
        anchor_sizes: width and height of each anchor in pixels, for inputs of any size, the smallest first: three each
            for the strides 8, 16 and 32. These are the paper's, found by k-means on COCO.
        head_channels: channels of the blocks of stride 32, 16 and 8.
        crop_ratio: see :class:`.single_shot.SSDVariant`.
        resize: see :class:`.single_shot.SSDVariant`.
        augmentation: see :class:`.single_shot.SSDVariant`.
        lr: see :class:`.single_shot.SSDVariant`.
        classes: see :class:`.single_shot.SSDVariant`.
        backbone: see :class:`.single_shot.SSDVariant`.
    """

    module: ClassVar[str] = 'detection.yolo3'
    detects: ClassVar[bool] = True
    kind: ClassVar[str] = 'yolo3'
    name: str
    image_size: int = 416
    anchor_sizes: Tuple[float, ...] = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)
    head_channels: Tuple[int, int, int] = (512, 256, 128)
    crop_ratio: float = 1.0
    resize: str = 'letterbox'
    augmentation: str = 'ssd'
    lr: float = 0.001
    classes: int = 20
    backbone: str = 'resnet50'


CENTERNETS = (CenterNetVariant('centernet'),)
YOLO3S = (YOLO3Variant('yolo3'),)

"""The networks of semantic segmentation by name: one row each. Only the standard library is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple


@dataclass(frozen=True)
class FCNVariant:
    """A fully convolutional network: models/segmentation/fcn.py.

    Attributes:
        name: the name of the model.
        image_size: height and width of its input, and of the crops that it is trained on, in pixels.
        crop_ratio: without effect, since whole images are seen.
        resize: see :class:`gluon_cbam.data.loading.preprocessing.Preprocessing`.
        augmentation: the augmentation of training, which moves images and masks together.
        lr: the learning rate of training by SGD where none is given, that of GluonCV's script.
        classes: the default number of classes, those of Pascal VOC with the background.
        backbone: the default backbone.
    """

    module: ClassVar[str] = 'segmentation.fcn'
    segments: ClassVar[bool] = True
    name: str
    image_size: int = 480
    crop_ratio: float = 1.0
    resize: str = 'letterbox'
    augmentation: str = 'segmentation'
    lr: float = 0.001
    classes: int = 21
    backbone: str = 'resnet50'


@dataclass(frozen=True)
class DeepLabV3Variant(FCNVariant):
    """A DeepLabV3: models/segmentation/deeplabv3.py.

    Attributes:
        rates: dilations of the three convolutions of atrous spatial pyramid pooling, for a stride of 8.
    """

    module: ClassVar[str] = 'segmentation.deeplabv3'
    rates: Tuple[int, int, int] = (12, 24, 36)


SEGMENTERS: Tuple[FCNVariant, ...] = (FCNVariant('fcn'), DeepLabV3Variant('deeplabv3'))
"""Every network of semantic segmentation."""

"""Rows of the single shot detectors with anchors: SSD and StairNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Optional, Tuple

_FOUR: Tuple[float, ...] = (1, 2, 1 / 2)  # four anchors a cell: these ratios, and a larger one of ratio 1
_SIX: Tuple[float, ...] = (1, 2, 1 / 2, 3, 1 / 3)


@dataclass(frozen=True)
class SSDVariant:
    """A single shot detector: models/detection/ssd.py.

    Attributes:
        kind: how it is trained: a key of ``gluon_cbam.tasks.detection.terms.TERMS``.
        name: the name of the model.
        image_size: height and width that it is trained at, in pixels.
        stride: stride of the first map; each map after it has twice the stride.
        backbone_maps: the maps that the stages of a backbone may give; extra layers make the others.
        channels: channels of each map where an extra layer makes it.
        transition: channels of the 1 x 1 convolution of an extra layer over those of its map.
        pooled: whether the last map is averaged to one cell.
        sizes: sizes of the anchors in pixels at ``image_size``, one more than maps; they grow with the image.
        ratios: for each map the ratios of width over height of its anchors, the first of them 1.
        steps: for each map the distance of its anchors in pixels, at any image size; None for the cell of the map,
            which is the image divided by the map.
        crop_ratio: without effect, since images are stretched.
        resize: see :class:`gluon_cbam.data.loading.preprocessing.Preprocessing`.
        augmentation: the augmentation of training, which moves images and boxes together.
        lr: the learning rate of training by SGD where none is given, that of GluonCV's script.
        classes: the default number of classes, those of Pascal VOC.
        backbone: the default backbone.
        head_kernel: size of the kernels of the heads.
        normalized: whether the extra layers have BatchNorm; otherwise their convolutions have a bias.
        ends: kernel and padding of the last extra layers, whose stride is 1; the others have a kernel of 3 and a stride
            of 2.
        first_scale: the initial scale of the first map, which is divided by the norm of its channels; None for a map
            that is left as it is.
        smallest: height and width that images must have at least, so that every map has a cell.
    """

    module: ClassVar[str] = 'detection.ssd'
    detects: ClassVar[bool] = True
    kind: ClassVar[str] = 'ssd'
    name: str
    image_size: int
    stride: int
    backbone_maps: int
    channels: Tuple[int, ...]
    transition: float
    pooled: bool
    sizes: Tuple[float, ...]
    ratios: Tuple[Tuple[float, ...], ...]
    steps: Tuple[Optional[int], ...]
    crop_ratio: float = 1.0
    resize: str = 'stretch'
    augmentation: str = 'ssd'
    lr: float = 0.001
    classes: int = 20
    backbone: str = 'resnet50'
    head_kernel: int = 3
    normalized: bool = True
    ends: Tuple[Tuple[int, int], ...] = ()
    first_scale: Optional[float] = None
    smallest: int = 1


@dataclass(frozen=True)
class StairNetVariant(SSDVariant):
    """A detector in the style of StairNet: models/detection/stairnet.py.

    Attributes:
        step_channels: channels of every map that a head reads.
        separable: whether the convolutions of the steps are separable.
        deconvolved: whether a step enlarges a map by a deconvolution, and the last map is read as it is.
    """

    module: ClassVar[str] = 'detection.stairnet'
    step_channels: int = 256
    separable: bool = False
    deconvolved: bool = False


# sizes, ratios, steps: the SSD paper for Pascal VOC; GluonCV's ssd_300_vgg16_atrous_voc
_300: Dict[str, Any] = dict(
    image_size=300,
    stride=8,
    backbone_maps=3,
    channels=(512, 512, 512, 256, 256, 256),
    transition=0.5,
    pooled=True,
    sizes=(30, 60, 111, 162, 213, 264, 315),
    ratios=(_FOUR, _SIX, _SIX, _SIX, _FOUR, _FOUR),
    steps=(8, 16, 32, 64, None, None),
)
# GluonCV's ssd_512_resnet50_v1_voc
_512: Dict[str, Any] = dict(
    image_size=512,
    stride=16,
    backbone_maps=2,
    channels=(512, 512, 512, 512, 256, 256),
    transition=1.0,
    pooled=False,
    sizes=(51.2, 102.4, 189.4, 276.4, 363.52, 450.6, 492),
    ratios=(_FOUR, _SIX, _SIX, _SIX, _FOUR, _FOUR),
    steps=(16, 32, None, None, None, None),
)
# sizes and steps of GluonCV's ssd_300_mobilenet1.0_lite; channels and heads of chuanqi305/MobileNet-SSD
_LITE: Dict[str, Any] = dict(
    image_size=300,
    stride=16,
    backbone_maps=2,
    channels=(512, 1024, 512, 256, 256, 128),
    transition=0.5,
    pooled=False,
    sizes=(60, 105, 150, 195, 240, 285, 300),
    ratios=(_FOUR, _SIX, _SIX, _SIX, _SIX, _SIX),
    steps=(16, None, None, None, None, None),
    backbone='mobilenet1.0',
    head_kernel=1,
)

_VGG16: Dict[str, Any] = dict(
    stride=8,
    backbone_maps=2,
    transition=0.5,
    pooled=False,
    backbone='vgg16_atrous',
    normalized=False,
    first_scale=20,
    smallest=257,  # smaller ones leave no cell of the last map
)
# the SSD paper; GluonCV's ssd_300_vgg16_atrous_voc
_300_VGG16: Dict[str, Any] = {
    **_300,
    **_VGG16,
    'channels': (512, 1024, 512, 256, 256, 256),
    'ends': ((3, 0), (3, 0)),
}
_STAIRNET_VGG16: Dict[str, Any] = {
    **_300_VGG16,
    'ratios': (_SIX, _SIX, _SIX, _SIX, _FOUR, _FOUR),
    'pooled': True,
    'ends': (),
    'smallest': 1,
}
# the SSD paper; GluonCV's ssd_512_vgg16_atrous_voc
_512_VGG16: Dict[str, Any] = dict(
    image_size=512,
    channels=(512, 1024, 512, 256, 256, 256, 256),
    sizes=(51.2, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6),
    ratios=(_FOUR, _SIX, _SIX, _SIX, _SIX, _FOUR, _FOUR),
    steps=(8, 16, 32, 64, None, None, None),
    ends=((4, 1),),
    **_VGG16,
)

SSDS = (
    SSDVariant('ssd_300', **_300),
    SSDVariant('ssd_512', **_512),
    SSDVariant('ssd_300_lite', **_LITE),
    SSDVariant('ssd_300_vgg16', **_300_VGG16),
    SSDVariant('ssd_512_vgg16', **_512_VGG16),
)
STAIRNETS = (
    StairNetVariant('stairnet_300', **_300),
    StairNetVariant('stairnet_300_lite', **_LITE, step_channels=128, separable=True),
    StairNetVariant('stairnet_300_vgg16', **_STAIRNET_VGG16, deconvolved=True),
)

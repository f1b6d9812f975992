"""Every model of this package by name: one row each. Only the standard library is imported.

A new variant of a family is a new row here. A new family is a dataclass with its rows here, and the file that it names
in ``module``, with a function ``build(variant, **options)`` that returns the HybridBlock and a function
``options(variant)`` that lists the names of the options.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Optional, Tuple, Union

from .detection_variants import DETECTORS, DetectorVariant
from .segmentation_variants import SEGMENTERS, FCNVariant


@dataclass(frozen=True)
class ResNetVariant:
    """A ResNet, WideResNet or ResNeXt: models/resnet.py.

    Attributes:
        name: the name of the model.
        block: ``basic`` or ``bottleneck``.
        layers: residual blocks of the four stages.
        attention: a key of :data:`gluon_cbam.attention.ATTENTIONS`, or None.
        stem: ``imagenet`` (7 x 7 / 2 and max-pool), ``deep`` (three 3 x 3 and max-pool) or ``cifar`` (3 x 3 / 1).
        image_size: height and width that it is trained at, in pixels.
        crop_ratio: ``image_size`` over the short side to which images are resized before the center crop of validation.
        augmentation: the augmentation of training, a key of :data:`gluon_cbam.data.loading.augmentation.AUGMENTATIONS`.
        widen: multiplies the width of the four stages.
        groups: the groups of a bottleneck's 3 x 3 convolution.
        group_width: channels of each group in the first stage.
    """

    module: ClassVar[str] = 'resnet'
    name: str
    block: str
    layers: Tuple[int, int, int, int]
    attention: Optional[str]
    stem: str
    image_size: int
    crop_ratio: float
    augmentation: str
    widen: float = 1.0
    groups: int = 1
    group_width: int = 64


@dataclass(frozen=True)
class MobileNetVariant:
    """A MobileNet: models/mobilenet.py.

    Attributes:
        name: the name of the model.
        alpha: width multiplier.
        attention: a key of :data:`gluon_cbam.attention.ATTENTIONS`, or None.
        image_size: see :class:`ResNetVariant`.
        crop_ratio: see :class:`ResNetVariant`.
        augmentation: see :class:`ResNetVariant`.
    """

    module: ClassVar[str] = 'mobilenet'
    name: str
    alpha: float
    attention: Optional[str]
    image_size: int = 224
    crop_ratio: float = 0.875
    augmentation: str = 'imagenet'


@dataclass(frozen=True)
class VGGVariant:
    """A VGG whose dense layers are dilated convolutions: models/vgg.py.

    Attributes:
        name: the name of the model.
        convolutions: the 3 x 3 convolutions of the five stages.
        attention: a key of :data:`gluon_cbam.attention.ATTENTIONS`, or None.
        image_size: see :class:`ResNetVariant`.
        crop_ratio: see :class:`ResNetVariant`.
        augmentation: see :class:`ResNetVariant`.
    """

    module: ClassVar[str] = 'vgg'
    name: str
    convolutions: Tuple[int, int, int, int, int]
    attention: Optional[str] = None
    image_size: int = 224
    crop_ratio: float = 0.875
    augmentation: str = 'imagenet'


@dataclass(frozen=True)
class CBAMNetVariant:
    """A CBAMNet: models/cbamnet.py.

    Attributes:
        name: the name of the model.
        dims: channels of the stages.
        image_size: height and width that it is trained at, in pixels.
        crop_ratio: see :class:`ResNetVariant`.
        augmentation: see :class:`ResNetVariant`.
    """

    module: ClassVar[str] = 'cbamnet'
    name: str
    dims: Tuple[int, ...]
    image_size: int = 32
    crop_ratio: float = 1.0
    augmentation: str = 'none'


@dataclass(frozen=True)
class ModifiedCBAMNetVariant:
    """A Modified-CBAMnet for aligned faces: models/modified_cbamnet.py.

    Attributes:
        name: the name of the model.
        depth: ``num_layers`` of the source.
        units: residual units of the four stages.
        widths: channels of the stem and of the stages.
        bottleneck: whether the units are bottlenecks.
        image_size: height and width that it is trained at, in pixels.
        crop_ratio: see :class:`ResNetVariant`.
        augmentation: see :class:`ResNetVariant`.
        mean: the mean of the channels, for pixels in 0..1; this and ``std`` leave pixels in 0..255, which the network
            expects.
        std: the standard deviation of the channels, for pixels in 0..1.
    """

    module: ClassVar[str] = 'modified_cbamnet'
    embeds: ClassVar[bool] = True
    name: str
    depth: int
    units: Tuple[int, int, int, int]
    widths: Tuple[int, int, int, int, int]
    bottleneck: bool
    image_size: int = 112
    crop_ratio: float = 1.0
    augmentation: str = 'none'
    mean: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: Tuple[float, float, float] = (1 / 255, 1 / 255, 1 / 255)


Variant = Union[
    ResNetVariant, MobileNetVariant, VGGVariant, CBAMNetVariant, ModifiedCBAMNetVariant, DetectorVariant, FCNVariant
]
"""A row of any family."""

# depth -> block, residual blocks per stage (He et al., CVPR 2016, table 1)
_DEPTHS = {
    18: ('basic', (2, 2, 2, 2)),
    34: ('basic', (3, 4, 6, 3)),
    50: ('bottleneck', (3, 4, 6, 3)),
    101: ('bottleneck', (3, 4, 23, 3)),
    152: ('bottleneck', (3, 8, 36, 3)),
}
_IMAGENET: Dict[str, Any] = dict(stem='imagenet', image_size=224, crop_ratio=0.875, augmentation='imagenet')
_CIFAR: Dict[str, Any] = dict(stem='cifar', image_size=32, crop_ratio=1.0, augmentation='cifar')
_32X4D: Dict[str, Any] = dict(groups=32, group_width=4)
_PAPER: Tuple[Optional[str], ...] = (None, 'se', 'cbam')  # the attentions of the CBAM paper's tables
_ALL: Tuple[Optional[str], ...] = (*_PAPER, 'bam')

# name with a place for its attention, depth, attentions, the rest
_RESNETS: Tuple[Tuple[str, int, Tuple[Optional[str], ...], Dict[str, Any]], ...] = (
    *((f'{{}}resnet{depth}', depth, _ALL, _IMAGENET) for depth in _DEPTHS),
    ('{}wide_resnet18_x1_5', 18, _PAPER, {**_IMAGENET, 'widen': 1.5}),
    ('{}wide_resnet18_x2_0', 18, _PAPER, {**_IMAGENET, 'widen': 2.0}),
    ('{}resnext50_32x4d', 50, _PAPER, {**_IMAGENET, **_32X4D}),
    ('{}resnext101_32x4d', 101, _PAPER, {**_IMAGENET, **_32X4D}),
    *((f'{{}}resnet{depth}_v1s', depth, _PAPER, {**_IMAGENET, 'stem': 'deep'}) for depth in (50, 101, 152)),
    *((f'cifar_{{}}resnet{depth}', depth, _ALL, _CIFAR) for depth in (18, 34, 50, 101)),
)
_MOBILENETS = (('{}mobilenet0.7', 0.7), ('{}mobilenet1.0', 1.0))


def _named(name: str, attention: Optional[str]) -> str:
    """Fill the attention into a name."""
    return name.format(f'{attention}_' if attention else '')


RESNETS = tuple(
    ResNetVariant(_named(name, attention), *_DEPTHS[depth], attention, **rest)
    for name, depth, attentions, rest in _RESNETS
    for attention in attentions
)

MOBILENETS = tuple(
    MobileNetVariant(_named(name, attention), alpha, attention) for name, alpha in _MOBILENETS for attention in _PAPER
)

VGGS = (VGGVariant('vgg16_atrous', (2, 2, 3, 3, 3)),)

CBAMNETS = (
    CBAMNetVariant('cbamnet_tiny', (64, 128)),
    CBAMNetVariant('cbamnet_small', (64, 128, 256)),
    CBAMNetVariant('cbamnet_base', (128, 256, 512)),
)

# bottleneck -> channels of stem and stages; depth -> units per stage (bruinxiong/Modified-CBAMnet.mxnet, fcbamnet.py)
_MODIFIED_WIDTHS = {False: (64, 64, 128, 256, 512), True: (64, 256, 512, 1024, 2048)}
_MODIFIED_DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    49: (3, 4, 14, 3),
    50: (3, 4, 14, 3),
    74: (3, 6, 24, 3),
    90: (3, 8, 30, 3),
    100: (3, 13, 30, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    269: (3, 30, 48, 8),
}

MODIFIED_CBAMNETS = tuple(
    ModifiedCBAMNetVariant(f'modified_cbamnet{depth}', depth, units, _MODIFIED_WIDTHS[depth > 100], depth > 100)
    for depth, units in _MODIFIED_DEPTHS.items()
)

_ROWS: Tuple[Variant, ...] = (*RESNETS, *MOBILENETS, *VGGS, *CBAMNETS, *MODIFIED_CBAMNETS, *DETECTORS, *SEGMENTERS)

VARIANTS: Dict[str, Variant] = {row.name: row for row in _ROWS}
"""Name of the model -> its row."""

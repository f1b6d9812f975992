"""Every network of this package by name: one row each, nothing imported but the standard library.

A new variant of a family is a new row here. A new family is a dataclass with its rows here and the file that it names
in ``module``, whose ``build(variant, **options)`` returns the HybridBlock.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Optional, Tuple


@dataclass(frozen=True)
class ResNetVariant:
    """A ResNet: models/resnet.py.

    Attributes:
        name: what users type.
        block: ``basic`` or ``bottleneck``.
        layers: residual blocks of the four stages.
        stem: ``imagenet`` (7 x 7 / 2 and max-pool) or ``cifar`` (3 x 3 / 1).
        attention: ``cbam`` or None.
        image_size: height and width that it is trained at, in pixels.
        crop_ratio: ``image_size`` over the short side that images are resized to before validation crops them.
        augmentation: of training, a key of data/loaders.py.
    """

    module: ClassVar[str] = 'resnet'
    name: str
    block: str
    layers: Tuple[int, int, int, int]
    stem: str
    attention: Optional[str]
    image_size: int
    crop_ratio: float
    augmentation: str


@dataclass(frozen=True)
class CBAMNetVariant:
    """A CBAMNet: models/cbamnet.py.

    Attributes:
        name: what users type.
        dims: channels of the stages.
        image_size: height and width that it is trained at, in pixels.
        crop_ratio: as of :class:`ResNetVariant`.
        augmentation: as of :class:`ResNetVariant`.
    """

    module: ClassVar[str] = 'cbamnet'
    name: str
    dims: Tuple[int, ...]
    image_size: int = 32
    crop_ratio: float = 1.0
    augmentation: str = 'none'


# depth -> block, residual blocks a stage (He et al., CVPR 2016, table 1)
_DEPTHS = {
    18: ('basic', (2, 2, 2, 2)),
    34: ('basic', (3, 4, 6, 3)),
    50: ('bottleneck', (3, 4, 6, 3)),
    101: ('bottleneck', (3, 4, 23, 3)),
    152: ('bottleneck', (3, 8, 36, 3)),
}
# stem -> name's beginning, depths, (image size, crop ratio, augmentation)
_STEMS = {
    'imagenet': ('', (18, 34, 50, 101, 152), (224, 0.875, 'imagenet')),
    'cifar': ('cifar_', (18, 34, 50, 101), (32, 1.0, 'cifar')),
}
_ATTENTIONS = {'': None, 'cbam_': 'cbam'}

RESNETS = tuple(
    ResNetVariant(f'{start}{prefix}resnet{depth}', *_DEPTHS[depth], stem, attention, *images)
    for (stem, (start, depths, images)), (prefix, attention) in product(_STEMS.items(), _ATTENTIONS.items())
    for depth in depths
)

CBAMNETS = (
    CBAMNetVariant('cbamnet_tiny', (64, 128)),
    CBAMNetVariant('cbamnet_small', (64, 128, 256)),
    CBAMNetVariant('cbamnet_base', (128, 256, 512)),
)

VARIANTS = {variant.name: variant for variant in (*RESNETS, *CBAMNETS)}
"""Name -> row."""

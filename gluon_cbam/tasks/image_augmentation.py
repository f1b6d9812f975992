"""The settings of augmentation that tasks of whole images share, and the steps that they stand for.

Names and defaults are those of timm's training script, so that its commands and files can be taken over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence, Sized

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import height_width
from gluon_cbam.common.settings import setting

from .protocols import Settings

if TYPE_CHECKING:
    from gluon_cbam.data.loading.order import Order
    from gluon_cbam.data.loading.policies.step import Step

_DECODES = ('exact', 'fast')  # those of a module that imports numpy
_MODES = ('const', 'rand', 'pixel')  # the keys of a table that imports numpy


@dataclass
class ImageAugmentationSettings:
    """How images are decoded, and steps of augmentation after the one of ``augment``."""

    decode: str = setting(
        'exact', 'how training images are decoded; fast changes pixels: a JPEG of which at least twice --image-size is '
        'seen is decoded in a smaller size, others with coarser colors', choices=_DECODES, immutable=True,
        section='Augmentation of whole images',
    )  # fmt: skip
    rotation: float = setting(
        0.0, 'largest angle by which images are rotated, in degrees; 0 for none', kind=float, minimum=0,
        aliases=('--degrees',), immutable=True,
    )  # fmt: skip
    color_jitter: List[float] = setting(
        (), 'largest change of brightness, contrast and saturation, such as 0.4, or of each and of the hue, such as '
        '0.4,0.4,0.2,0.1  [none]', kind=list, immutable=True,
    )  # fmt: skip
    aa: Optional[str] = setting(
        None, 'policy of augmentation: trivialaugment, or RandAugment such as rand-m9-mstd0.5-inc1  [none]',
        '--aa', '--auto-augment', immutable=True,
    )  # fmt: skip
    cutout: int = setting(
        0, 'side of a square that is filled with the mean color in every image, in pixels; 0 for none', kind=int,
        minimum=0, immutable=True,
    )  # fmt: skip
    reprob: float = setting(
        0.0, 'share of the images with a random box erased; 0 for none', kind=float, minimum=0, immutable=True
    )
    remode: str = setting(
        'pixel', 'what erased boxes are filled with: the mean color, a random one, or one for each pixel',
        choices=_MODES, immutable=True,
    )  # fmt: skip
    recount: int = setting(1, 'boxes that are erased in an image', kind=int, minimum=1, immutable=True)
    aug_repeats: int = setting(
        0, 'times that an image is in a batch, augmented anew; epochs then have a part of the images; 0 and 1 are once',
        kind=int, minimum=0, aliases=('--repeated-aug',), immutable=True,
    )  # fmt: skip


def steps_of(settings: Settings) -> List[Step]:
    """The steps of augmentation that a run has after the one of ``augment``.

    Args:
        settings: the settings of the run; an ``image_size`` that is not resolved yet is None.

    Returns:
        The steps, in their order.

    Raises:
        UsageError: a value has no meaning.
    """
    from gluon_cbam.data.loading.policies.erasing import Cutout, RandomErasing
    from gluon_cbam.data.loading.policies.jitter import ColorJitter, RandomRotation
    from gluon_cbam.data.loading.policies.naming import policy

    steps: List[Step] = []
    if settings['rotation']:
        steps.append(RandomRotation(settings['rotation']))
    if settings['color_jitter']:
        steps.append(ColorJitter(*_widths(settings['color_jitter'])))
    if settings['aa'] is not None:
        steps.append(policy(settings['aa']))
    if settings['cutout']:
        check_square('cutout', settings)
        steps.append(Cutout(settings['cutout']))
    if settings['reprob']:
        steps.append(RandomErasing(settings['reprob'], settings['remode'], settings['recount']))
    return steps


def repeated_order(settings: Settings, records: Sized, batch_size: int) -> Optional[Order]:
    """The order of an epoch in which images are repeated.

    Args:
        settings: the settings of the run.
        records: the training data.
        batch_size: images in a batch, over all devices and processes.

    Returns:
        The order; None where each image occurs once.

    Raises:
        UsageError: more repetitions than images in a batch.
    """
    from gluon_cbam.data.loading.order import RepeatedOrder

    repeats = settings['aug_repeats']
    if repeats > batch_size:
        raise UsageError(f'--aug-repeats must be at most the {batch_size} images of a batch, got {repeats}')
    return RepeatedOrder(len(records), repeats, batch_size) if repeats > 1 else None


def _widths(values: Sequence[float]) -> Sequence[float]:
    """The arguments of the color jitter, from one number or those of each property."""
    if len(values) == 1:
        return [values[0]] * 3
    if len(values) not in (3, 4):
        given = ','.join(f'{value:g}' for value in values)
        raise UsageError(
            f'--color-jitter takes one number, those of brightness, contrast and saturation, or the hue besides, '
            f'got {given}'
        )
    return values


def check_square(name: str, settings: Settings) -> None:
    """Check that a square that is cut out leaves a part of an image.

    Args:
        name: the setting with the side of the square.
        settings: the settings of the run.

    Raises:
        UsageError: the square is larger than the shorter side of the images.
    """
    if settings['image_size'] is None:
        return
    height, width = height_width(settings['image_size'])
    if settings[name] > min(height, width):
        of = 'the images' if height == width else 'the shorter side of the images'
        raise UsageError(f'--{name} must be at most the {min(height, width)} pixels of {of}, got {settings[name]}')

"""The settings of detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.limits import MAX_IMAGE_SIZE
from gluon_cbam.common.settings import setting

if TYPE_CHECKING:
    import mxnet as mx

_STRIDE = 32  # of the last map of most backbones

OF_SSD = ('match_iou', 'negatives')
"""The settings that detectors of the kind ``ssd`` alone have."""


@dataclass
class DetectionSettings:
    """The settings that detection alone has."""

    ignore_difficult: bool = setting(
        False, 'let anchors in objects that are marked as difficult count for nothing, as in crowds', kind=bool,
        immutable=True, section='Detection',
    )  # fmt: skip
    best_figure: str = setting(
        'ap', 'figure by which parameters are kept as the best',
        choices=('ap', 'ap50', 'voc07', 'mask_ap', 'mask_ap50'),
    )  # fmt: skip
    multi_scale: List[float] = setting(
        (), 'smallest and largest image size in training, such as 320,608: every ten batches have another multiple of '
        '32, at random', kind=list, immutable=True,
    )  # fmt: skip
    match_iou: float = setting(
        0.5, 'IoU with an object above which an anchor is positive', kind=float, minimum=0, exclusive_maximum=1,
        immutable=True,
    )  # fmt: skip
    negatives: float = setting(
        3.0, 'background anchors of an image in the loss for each positive one, the hardest', kind=float, minimum=0,
        immutable=True,
    )  # fmt: skip
    box_weight: float = setting(1.0, 'factor of the loss of the boxes', kind=float, minimum=0, immutable=True)


def image_sizes(multi_scale: Sequence[float]) -> List[int]:
    """The image sizes that training takes at random.

    Args:
        multi_scale: the setting.

    Returns:
        The sizes in pixels, from the smallest to the largest; none for the image size of the run alone.

    Raises:
        UsageError: the setting is not two multiples of 32, the smaller one first.
    """
    if not multi_scale:
        return []
    sizes = [int(value) for value in multi_scale if value % _STRIDE == 0]
    if len(multi_scale) != 2 or len(sizes) != 2 or not 0 < sizes[0] < sizes[1] <= MAX_IMAGE_SIZE:
        given = ','.join(f'{value:g}' for value in multi_scale)
        raise UsageError(
            f'--multi-scale takes two multiples of {_STRIDE} up to {MAX_IMAGE_SIZE}, the smaller one first, such as '
            f'320,608, got {given}'
        )
    return list(range(sizes[0], sizes[1] + 1, _STRIDE))


def check_sizes(net: mx.gluon.Block, sizes: Sequence[int]) -> None:
    """Check that a network takes all sizes of ``--multi-scale``, before a later batch of training has the smallest one.

    Args:
        net: a detector.
        sizes: result of :func:`image_sizes`.

    Raises:
        UsageError: the smallest size is too small.
    """
    try:
        for size in sizes[:1]:
            net.check_input((1, net._in_channels or 3, size, size))
    except ValueError as error:
        raise UsageError(f'--multi-scale from {sizes[0]}: {error}') from None

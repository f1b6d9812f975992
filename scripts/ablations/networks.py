"""The networks of the ablation study: parts, orders and sizes of attention in a narrow ResNet-18."""

from __future__ import annotations

from study import Row

WIDEN, STEM_WIDTH = 0.25, 16
REDUCTION = 'reduction=4'  # a quarter of the default at a quarter of the width: as many hidden channels in each stage
_STEM = f'stem_width={STEM_WIDTH}'
_AS_CBAM = 'widen=0.254'


def _row(name: str, attention: str, *options: str) -> Row:
    """A row with a network of a quarter of the width, stem included."""
    own = [] if attention == '' or any(option.startswith('reduction=') for option in options) else [REDUCTION]
    return Row(name, f'cifar_{attention}resnet18', (f'widen={WIDEN}', _STEM, *own, *options))


NONE, WIDER, SE, CBAM = 'no attention', 'no attention, parameters of CBAM', 'SE', 'CBAM (the paper)'
ROWS = (
    _row(NONE, ''),
    Row(WIDER, 'cifar_resnet18', (_AS_CBAM, _STEM)),
    _row(SE, 'se_'),
    _row('BAM', 'bam_'),
    _row(CBAM, 'cbam_'),
    _row('channel gate alone', 'cbam_', 'spatial=false'),
    _row('spatial gate alone', 'cbam_', 'channel=false'),
    _row('spatial, then channel', 'cbam_', 'order=spatial_channel'),
    _row('both in parallel', 'cbam_', 'order=parallel'),
    _row('kernel of 3', 'cbam_', 'kernel_size=3'),
    _row('average pooling alone', 'cbam_', 'pool_types=[avg]'),
    _row('maximum pooling alone', 'cbam_', 'pool_types=[max]'),
    _row('spatial gate of a 1 x 1 convolution', 'cbam_', 'spatial_pool=conv1x1'),
    *(_row(f'reduction of {ratio}', 'cbam_', f'reduction={ratio}') for ratio in (2, 8, 16)),  # 16 channels at least
)
"""The networks, in the order of the tables; those after CBAM are CBAM with one thing changed."""

CORRUPTED = (NONE, WIDER, SE, 'BAM', CBAM)
"""The networks that are validated on corrupted pictures, too."""

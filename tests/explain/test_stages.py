"""Which attention modules are selected, by default and by name."""

import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.explain.maps.attention import AttentionMaps
from gluon_cbam.explain.maps.grid import Grid
from gluon_cbam.explain.maps.stages import select_stages


def maps(path, stride):
    grid = Grid((stride, stride), (0, 0)) if stride else None
    return AttentionMaps(path, np.zeros((1, len(path))), None, grid=grid)


RESNET = [maps(f'layer{stage}.{block}.attention', 2 ** (stage + 1)) for stage in (1, 2, 3, 4) for block in (0, 1, 2)]
# strides of the 27 units of a MobileNet: the stem, then 13 times a depthwise and a pointwise one
STRIDES = [2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, *[16] * 12, 32, 32, 32, 32]
MOBILENET = [maps(f'units.{number}.attention', stride) for number, stride in enumerate(STRIDES)]


@pytest.mark.parametrize(
    'found, stages, expected',
    [
        (RESNET, None, [f'layer{stage}.2.attention' for stage in (1, 2, 3, 4)]),
        (MOBILENET, None, [f'units.{number}.attention' for number in (2, 6, 10, 22, 26)]),
        (RESNET, ['layer4', 'layer1.0'], ['layer1.0.attention', 'layer4.2.attention']),
        (RESNET, ['layer2.1.attention'], ['layer2.1.attention']),
        (RESNET, ['layer[34].0'], ['layer3.0.attention', 'layer4.0.attention']),
        (RESNET, ['all'], [found.path for found in RESNET]),
        ([], None, []),
    ],
)
def test_selection(found, stages, expected):
    assert [entry.path for entry in select_stages(found, stages)] == expected


def test_an_unknown_stage_has_a_hint():
    with pytest.raises(UsageError, match="unknown stage 'layer5': did you mean layer"):
        select_stages(RESNET, ['layer1', 'layer5'])
    with pytest.raises(UsageError, match="unknown stage 'layer4': known: none"):
        select_stages([], ['layer4'])

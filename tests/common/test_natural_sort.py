"""Natural order of names."""

import random

import pytest

from gluon_cbam.common.natural_sort import naturally_sorted


@pytest.mark.parametrize(
    'ordered',
    [
        ['resnet18', 'resnet50', 'resnet101'],
        ['1.png', '2.png', '10.png', 'a01', 'a1', 'a2', 'a10b2', 'a10b10'],
        ['x9', 'x10²', 'x99999999999999999999', 'x100000000000000000000'],
    ],
)
def test_natural_order(ordered):
    shuffled = random.Random(0).sample(ordered, len(ordered))
    assert naturally_sorted(shuffled) == ordered

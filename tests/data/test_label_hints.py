"""Hints about labels that are valid, but look wrong."""

import numpy as np
import pytest

from gluon_cbam.data.records.label_hints import label_hints


@pytest.mark.parametrize(
    ('labels', 'classes', 'hints'),
    [
        ([0, 1, 2], 3, []),
        ([1, 2, 3], 4, ['no image is of class 0, and the labels are 1..3']),
        (
            [1, 3],
            5,
            ['no image is of class 0, and the labels are 1..3', '2 of 5 classes have no images, the first is class 2'],
        ),
        ([0, 2], None, ['1 of 3 classes have no images, the first is class 1']),
        ([2, 3], 4, ['2 of 4 classes have no images, the first is class 0']),
        ([0], None, []),
        ([0.5, 1], 2, []),
        ([np.nan], 2, []),
        ([-1], 2, []),
        ([1e30], None, []),
        ([], 2, []),
    ],
)
def test_hints(labels, classes, hints):
    found = label_hints(np.array(labels, np.float32), 'a.rec', classes)
    assert len(found) == len(hints)
    for line, expected in zip(found, hints):
        assert line.startswith(f'a.rec: {expected}')

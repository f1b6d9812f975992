"""The table of boxes: types, lengths, and boxes of nothing."""

import numpy as np
import pytest

from gluon_cbam.data.boxes.table import Boxes

TYPES = {'corners': np.float64, 'classes': np.int64, 'difficult': bool, 'crowd': bool, 'areas': np.float64}


@pytest.mark.parametrize('boxes', [Boxes.empty(), Boxes.of([[1, 2, 4, 8]], [3])], ids=['none', 'one'])
def test_arrays_have_the_types_of_the_table(boxes):
    assert {name: getattr(boxes, name).dtype for name in TYPES} == TYPES
    assert boxes.corners.shape == (len(boxes), 4)


def test_areas_are_those_of_the_boxes_unless_given():
    corners = [[0, 0, 10, 5], [2.5, 1, 4, 2]]
    assert Boxes.of(corners, [0, 1]).areas.tolist() == [50, 1.5]
    assert Boxes.of(corners, [0, 1], areas=[7, 1]).areas.tolist() == [7, 1]


def test_chosen_boxes_keep_what_belongs_to_them():
    boxes = Boxes.of([[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]], [5, 6, 7], [0, 1, 0], [1, 0, 0], [9, 8, 6])
    part = boxes.chosen(np.array([2, 0]))
    assert part.corners[:, 2].tolist() == [3, 1]
    assert (part.classes.tolist(), part.difficult.tolist(), part.crowd.tolist(), part.areas.tolist()) == (
        [7, 5], [False, False], [False, True], [6, 9],
    )  # fmt: skip


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match='2 boxes'):
        Boxes.of([[0, 0, 1, 1], [0, 0, 2, 2]], [0])

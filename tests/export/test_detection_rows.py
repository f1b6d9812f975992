"""Detections of two engines agree by their own size."""

import numpy as np

from gluon_cbam.export.detection_rows import compare_rows

ROWS = np.array(
    [[[0, 0.9, 10, 10, 50, 50], [1, 0.8, 20, 30, 60, 64], [0, 0.7, 5, 5, 25, 30], [-1, -1, -1, -1, -1, -1]]], np.float64
)


def moved(rows, number, pixels):
    changed = rows.copy()
    changed[0, number, 2:] += pixels
    return changed


def test_a_small_difference_agrees_and_a_large_one_does_not():
    assert compare_rows(moved(ROWS, 0, 0.004), ROWS, 1e-4).agreeing == 3
    assert compare_rows(moved(ROWS, 0, 0.02), ROWS, 1e-4).agreeing == 2


def test_masks_agree_pixel_by_pixel():
    masks = np.random.RandomState(0).rand(1, 4, 6, 6)
    assert compare_rows(ROWS[:, [1, 0, 2, 3]], ROWS, 1e-4, [masks[:, [1, 0, 2, 3]]], [masks]).agreeing == 3
    other = masks.copy()
    other[0, 1] = masks[0, 0]
    other[0, 3] = 5  # of a row without a detection
    assert compare_rows(ROWS, ROWS, 1e-4, [other], [masks]).agreeing == 2


def test_a_huge_box_does_not_let_the_others_differ():
    rows = ROWS.copy()
    rows[0, 2, 2:] = [-1e6, -1e6, 1e6, 1e6]
    assert compare_rows(moved(rows, 2, 50), rows, 1e-4).agreeing == 3, 'within rounding of its own size'
    assert compare_rows(moved(rows, 0, 40), rows, 1e-4).agreeing == 2

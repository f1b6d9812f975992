"""Drawn boxes."""

import numpy as np
import pytest

from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.detection.drawing import class_color, detection_boxes, draw_boxes, fit, scaled, true_boxes
from gluon_cbam.tasks.detection.detections import Detections

GRAY = np.full((120, 160, 3), 90, np.uint8)
NAMES = ['tree', 'Bär', 'a very long name that nobody could read in a picture']


def colored(pixels, index):
    """(H, W) where pixels have the color of a class."""
    return (pixels == np.array(class_color(index), np.uint8)).all(axis=2)


def test_lines_lie_on_the_edges_of_the_box():
    boxes = detection_boxes(Detections.of([1], [0.5], [[20, 40, 100, 90]]), NAMES)
    drawn = draw_boxes(GRAY, [boxes[0]._replace(text='')])
    lines = colored(drawn, 1)
    rows, columns = np.nonzero(lines)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 89, 20, 99)
    assert lines[40, 20:100].all()
    assert lines[40:90, 99].all()
    assert lines.sum() == 2 * (80 + 50) - 4
    assert (GRAY == 90).all()


@pytest.mark.parametrize('corners', [[-50, -50, 300, 300], [159, 119, 160, 120], [10, 10, 10, 10], [150, -20, 400, 5]])
def test_boxes_outside_the_image_and_empty_ones_are_drawn(corners):
    found = Detections.of([0], [0.25], [corners])
    drawn = draw_boxes(GRAY, detection_boxes(found, NAMES))
    assert drawn.shape == GRAY.shape
    assert colored(drawn, 0).any()


def test_a_label_that_would_cover_a_surer_one_is_left_out():
    box = detection_boxes(Detections.of([0], [0.9], [[20, 30, 60, 60]]), NAMES)[0]
    labels = [draw_boxes(GRAY, [box] * copies) for copies in range(1, 6)]
    changed = [int((first != second).any(axis=2).sum()) for first, second in zip(labels, labels[1:])]
    assert min(changed[:2]) > 200, 'in the box and below it'
    assert changed[2:] == [0, 0]
    assert colored(labels[0], 0)[:30].any()


def test_the_surest_is_drawn_last_and_wrong_ones_are_dashed():
    found = Detections.of([0, 1], [0.2, 0.9], [[20, 30, 60, 60]] * 2)
    boxes = detection_boxes(found, NAMES, np.array([False, True]))
    assert [box.text for box in boxes] == ['Bär 0.90', 'tree 0.20']
    assert [box.dashed for box in boxes] == [True, False]
    top = draw_boxes(GRAY, [box._replace(text='') for box in boxes])[30, 20:59]
    assert (top == class_color(1)).all(axis=1).sum() == 20


def test_crowds_and_difficult_objects_say_so():
    boxes = true_boxes(Boxes.of([[0, 0, 5, 5], [0, 0, 9, 9], [0, 0, 2, 2]], [0, 1, 2], [1, 0, 0], [0, 1, 0]), NAMES)
    assert [box.text for box in boxes] == ['Bär (crowd)', 'tree (difficult)', 'a very long name that nobody co…']
    assert [box.dashed for box in boxes] == [True, True, False]


def test_boxes_keep_their_place_on_a_resized_image():
    """The middle of the box of a bright square is bright at every size."""
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[10:20, 5:15] = 255
    box = true_boxes(Boxes.of([[5, 10, 15, 20]], [0]), NAMES)
    for side in (400, 100, 20):
        resized, scale = fit(pixels, side)
        assert max(resized.shape) == side
        left, top, right, bottom = scaled(box, scale)[0].corners
        assert resized[int((top + bottom) / 2), int((left + right) / 2)].min() == 255
        assert (bottom - top) == pytest.approx(side / 4)


def test_neighboring_classes_have_different_colors():
    colors = [class_color(index) for index in range(100)]
    assert len(set(colors)) > 90
    assert min(np.abs(np.subtract(*pair)).max() for pair in zip(colors, colors[1:])) > 60

"""Labels of detection records: against MXNet's and GluonCV's readers, rounding, and every kind of fault."""

import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.labels import MAX_OBJECTS, decode, encode
from gluon_cbam.data.boxes.table import Boxes

NAN = float('nan')
ROW = [1, 0.1, 0.2, 0.3, 0.4]


def some_boxes():
    corners = [[0, 0, 640, 480], [10, 20.25, 30.01, 40], [0.5, 479, 1, 480]]
    return Boxes.of(corners, [2, 0, 7], [0, 1, 0], [0, 0, 1], [307200, 123.5, 1])


def test_layout_of_a_label():
    label = encode(Boxes.of([[10, 20, 30, 40]], [3], [1], [0], [99]), 100, 200)
    assert label.dtype == np.float32
    assert label.tolist() == np.float32([4, 8, 200, 100, 3, 0.05, 0.2, 0.15, 0.4, 1, 0, 99]).tolist()


def test_round_trip():
    boxes = some_boxes()
    back = decode(encode(boxes, 480, 640), 480, 640, 'here')
    assert np.array_equal(back.corners, boxes.corners)  # exactly: they are rounded to 0.001
    for name in ('classes', 'difficult', 'crowd', 'areas'):
        assert np.array_equal(getattr(back, name), getattr(boxes, name)), name


@pytest.mark.parametrize('size', [300, 1024, 16384])
def test_rounding_is_below_a_thousandth_of_a_pixel(size):
    random = np.random.RandomState(0)
    corners = np.sort(random.uniform(0, size, (500, 2, 2)), axis=1).reshape(-1, 4)
    back = decode(encode(Boxes.of(corners, np.zeros(500)), size, size), size, size, 'here')
    assert np.abs(back.corners - corners).max() < 1e-3
    hundredths = np.round(corners, 2)
    back = decode(encode(Boxes.of(hundredths, np.zeros(500)), size, size), size, size, 'here')
    assert np.array_equal(back.corners, hundredths)


def test_tiny_boxes_do_not_collapse():
    back = decode([2, 5, 0, 0.5, 0.5, 0.5 + 2**-20, 0.5 + 2**-20], 100, 100, 'here')
    assert (back.corners[:, 2:] > back.corners[:, :2]).all()


@pytest.mark.parametrize(
    'label',
    [[2, 5], [4, 5, 640, 480], [4, 5, 640, 480, -1, -1, -1, -1, -1], encode(Boxes.empty(), 480, 640)],
    ids=['header of 2', 'header of 4', 'a row of -1', 'ours'],
)
def test_both_forms_of_no_objects(label):
    assert len(decode(np.float32(label), 480, 640, 'here')) == 0


def test_padding_behind_objects_is_left_out():
    assert len(decode([2, 5, *ROW, *[-1] * 10], 10, 10, 'here')) == 1


@pytest.mark.parametrize(
    'extra, difficult, crowd, area',
    [
        ([], False, False, 48),
        ([1], True, False, 48),
        ([1, 1], True, True, 48),
        ([0, 1, 17], False, True, 17),
        ([5, 6, 7, 8, 9, 10, 11, 12, 13, 14], False, False, 48),  # five landmarks, for instance
    ],
)
def test_extra_numbers_of_an_object(extra, difficult, crowd, area):
    boxes = decode([3, 5 + len(extra), 0, *ROW, *extra], 20, 60, 'here')
    assert (boxes.difficult.tolist(), boxes.crowd.tolist()) == ([difficult], [crowd])
    assert boxes.areas.tolist() == pytest.approx([area])
    assert boxes.corners.tolist() == [[6, 4, 18, 8]]


@pytest.mark.parametrize(
    'label, message',
    [
        ([3], 'has 1 label, as records of classification'),
        ([2, 5, *ROW, 1], 'has 8 labels that begin with 2, 5'),
        ([1, 5, *ROW], 'has . labels that begin with'),
        ([2, 4, *ROW[:4]], 'has . labels that begin with'),
        ([9, 5, *ROW], 'has . labels that begin with'),
        ([2.5, 5, *ROW], 'has . labels that begin with'),
        ([NAN, 5, *ROW], 'has . labels that begin with'),
        ([2, 5, *ROW, 1, 0.1, NAN, 0.3, 0.4], 'object 1: class 1 and the corners 0.1, nan'),
        ([2, 5, 1, 0.1, 0.2, float('inf'), 0.4], 'object 0: .* not all finite'),
        ([2, 5, *ROW, -1, 0.1, 0.2, 0.3, 0.4], 'object 1: -1 is no class'),
        ([2, 5, 0.5, 0.1, 0.2, 0.3, 0.4], 'object 0: 0.5 is no class'),
        ([2, 5, 1, 0.3, 0.2, 0.1, 0.4], 'object 0: .* enclose nothing'),
        ([2, 5, 1, 0.1, 0.2, 0.1, 0.4], 'object 0: .* enclose nothing'),
        ([2, 6, *ROW, 0.7], 'object 0: 0.7 and 0 .* flags'),
        ([2, 8, *ROW, 0, 1, -4], 'object 0: its area is -4'),
    ],
)
def test_faults_name_the_record_and_the_object(label, message):
    with pytest.raises(DataError, match=f'a.rec: record 7: {message}'):
        decode(np.float32(label), 10, 10, 'a.rec: record 7')


def test_more_objects_than_a_record_holds():
    boxes = Boxes.of(np.tile([0, 0, 1, 1], (MAX_OBJECTS, 1)), np.zeros(MAX_OBJECTS))
    assert len(encode(boxes, 9, 9)) <= 1 << 16
    with pytest.raises(DataError, match=f'{MAX_OBJECTS + 1} objects'):
        encode(Boxes.of(np.tile([0, 0, 1, 1], (MAX_OBJECTS + 1, 1)), np.zeros(MAX_OBJECTS + 1)), 9, 9)

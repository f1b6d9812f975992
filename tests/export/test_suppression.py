"""box_nms in ONNX: thresholds, ties, classes, against a plain one."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.detection_rows import compare_rows
from gluon_cbam.export.onnx.graph import to_model
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.runtime.onnxruntime_engine import onnxruntime_session
from gluon_cbam.export.tracing import TracedNetwork

CLASSES, ROWS = 4, 60
DEFAULTS = {'overlap_thresh': 0.5, 'valid_thresh': 0.1, 'id_index': 0, 'score_index': 1, 'coord_start': 2}


def in_onnx(rows, other_shape=None, **attributes):
    symbol = mx.sym.contrib.box_nms(mx.sym.Variable('data'), **{**DEFAULTS, **attributes})
    graph = to_onnx_graph(TracedNetwork(symbol, {}, rows.shape[1:], 'float32', other_shape, CLASSES))
    return onnxruntime_session(to_model(graph, 13, {}, 'nms').SerializeToString(), 1)(rows)[0]


def plainly(rows, top=ROWS, by_class=True):
    """The same by loops, for thresholds of 0.5 and 0.1."""
    given = sorted((row for row in rows.tolist() if row[1] > np.float32(0.1)), key=lambda row: -row[1])[:top]
    kept = []
    for row in given:
        if not any(iou(row[2:], other[2:]) > 0.5 and (row[0] == other[0] or not by_class) for other in kept):
            kept.append(row)
    return np.array(kept + [[-1] * rows.shape[1]] * (len(rows) - len(kept)), np.float32)


def iou(one, two):
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    return shared / (sum(areas) - shared)


@pytest.fixture
def rows():
    draw = np.random.RandomState(0)
    low, size = draw.uniform(0, 30, (2, ROWS, 2)), draw.uniform(5, 20, (2, ROWS, 2))
    scores = draw.permutation(2 * ROWS).reshape(2, ROWS, 1) / (2 * ROWS)
    return np.concatenate([draw.randint(0, CLASSES, (2, ROWS, 1)), scores, low, low + size], 2).astype(np.float32)


@pytest.mark.parametrize('options', [{}, {'force_suppress': True}, {'topk': 20}])
def test_equals_loops_and_mxnet(rows, options):
    found = in_onnx(rows, **options)
    how = (options.get('topk', ROWS), not options.get('force_suppress', False))
    np.testing.assert_array_equal(found, np.stack([plainly(image, *how) for image in rows]))
    np.testing.assert_array_equal(found, mx.nd.contrib.box_nms(mx.nd.array(rows), **DEFAULTS, **options).asnumpy())


@pytest.mark.parametrize('options', [{}, {'topk': 20}])
def test_a_free_number_of_rows(rows, options):
    """Some, as many as ``topk``, and fewer."""
    for count in (ROWS, 20, 7):
        found = in_onnx(rows[:, :count], other_shape=(count + 1, 6), **options)
        expected = mx.nd.contrib.box_nms(mx.nd.array(rows[:, :count]), **DEFAULTS, **options).asnumpy()
        np.testing.assert_array_equal(found, expected)


def test_at_the_thresholds():
    """An IoU of exactly the threshold suppresses nothing; a score of exactly the threshold is no detection."""
    first, half, more = [0, 0.9, 0, 0, 4, 4], [0, 0.8, 0, 0, 4, 2], [0, 0.7, 0, 0, 4, 2.5]
    rows = np.array([[first, half, more, [1, 0.6, 0, 0, 4, 4], [0, 0.1, 9, 9, 11, 11]]], np.float32)
    expected = mx.nd.contrib.box_nms(mx.nd.array(rows), **DEFAULTS).asnumpy()
    np.testing.assert_array_equal(in_onnx(rows), expected)
    assert expected[0, :, 1].tolist() == np.float32([0.9, 0.8, 0.6, -1, -1]).tolist()


def test_of_equal_scores_the_first_is_kept(rows):
    rows[:, :, 1] = 0.5
    np.testing.assert_array_equal(in_onnx(rows), np.stack([plainly(image) for image in rows]))


def test_images_without_boxes(rows):
    rows[0, :, 1] = 0
    found = in_onnx(rows)
    assert (found[0] == -1).all() and (found[1, 0] >= 0).all()
    assert (in_onnx(rows[:1]) == -1).all()


def test_what_cannot_be_translated(rows):
    with pytest.raises(DataError, match='box_nms with in_format=center cannot be translated'):
        in_onnx(rows, in_format='center')


def test_rows_agree_in_any_order(rows):
    boxes = rows[:1].copy()
    boxes[0, -1, 1] = rows[0, -1, 1] = 0.001
    boxes[0, -1, 2:] += 100  # another one of the last score
    boxes[0, :2] = boxes[0, 1::-1]
    assert compare_rows(boxes, rows[:1], 1e-4).agreeing == ROWS
    boxes[0, 0, 0] += 1  # another class
    boxes[0, 1, 2] += 1  # another box
    boxes[0, 2, 0] = -1  # nothing
    found = compare_rows(boxes, rows[:1], 1e-4)
    assert (found.rows, found.agreeing) == (ROWS, ROWS - 4)  # also the last one, as nothing is cut off

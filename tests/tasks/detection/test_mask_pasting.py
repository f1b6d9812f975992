"""Masks in the pixels of an image, against scipy, and predictions that have them."""

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.segmentations import bitmap
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.detection.annotations import Annotations
from gluon_cbam.detection.drawing import class_color
from gluon_cbam.detection.drawn_pictures import drawn_boxes
from gluon_cbam.tasks.detection.mask_pasting import pasted
from gluon_cbam.tasks.detection.prediction import BoxPredictor
from gluon_cbam.tasks.evaluation import gathered_texts
from gluon_cbam.tasks.prediction import ImageReference


@pytest.mark.parametrize('corners', [(3.3, 4.8, 40.1, 22.9), (-9.5, 2, 12.25, 70), (30, 10, 31, 11.5), (50, 5, 90, 80)])
def test_pixels_are_those_of_scipy(corners):
    ndimage = pytest.importorskip('scipy.ndimage')
    mask, (left, top, right, bottom) = np.random.RandomState(0).rand(28, 28), corners
    rows, columns = np.mgrid[:60, :64] + 0.5
    places = [(rows - top) / (bottom - top) * 28 - 0.5, (columns - left) / (right - left) * 28 - 0.5]
    inside = (left - 1 < columns) & (columns < right + 1) & (top - 1 < rows) & (rows < bottom + 1)
    value = ndimage.map_coordinates(mask, places, order=1, mode='grid-constant', cval=0) * inside
    found = pasted(mask, corners, 60, 64)
    clear = np.abs(value - 0.5) > 1e-9
    assert np.array_equal(found[clear], (value >= 0.5)[clear])
    assert found.any() or corners[0] == 30


def test_boxes_outside_of_the_image_have_no_pixels():
    for corners in ((-20, 3, -1, 9), (70, 3, 80, 9), (5, 5, 5, 9), (3, 90, 9, 95)):
        assert not pasted(np.ones((28, 28)), corners, 60, 64).any()


def outputs(size=100):
    """Two detections that reach over the image in a letterbox, one outside of it, and rows without any."""
    rows = np.full((5, 6), -1.0)
    rows[:3] = [[1, 0.9, 10, 10, 60, 40], [0, 0.95, 0, 30, 100, 90], [0, 0.8, 5, 60, 30, 90]]
    masks = np.zeros((5, 28, 28))
    masks[0], masks[1, :14], masks[2] = 1, 1, 1
    return [rows, masks]


def test_predictions_have_masks_in_pixels_of_the_image():
    preprocessing = Preprocessing(100, resize='letterbox')
    predictor = BoxPredictor(preprocessing, ('a', 'b'), 10)
    prediction = predictor(ImageReference('x.png', None, (100, 200)), outputs())
    first, second = prediction.boxes  # the third is in the lower half of the letterbox, outside of the image
    assert (first.label, second.label) == ('a', 'b')
    assert second.corners == pytest.approx((20, 20, 120, 80))
    inside = np.zeros((100, 200), bool)
    inside[20:80, 20:120] = True
    assert (second.mask() != inside).mean() < 0.02
    assert first.corners == pytest.approx((0, 60, 200, 100))  # the mask fills the box before it is clipped
    assert second.mask()[:20].sum() == 0
    assert bitmap(first.segmentation, 100, 200)[61:100, 5:195].all()
    value = prediction.as_dict()['boxes'][0]
    assert value['segmentation']['size'] == [100, 200]
    assert prediction.detections.segmentations.tolist() == [first.segmentation, second.segmentation]
    only = predictor.filtered(only=['b'])(ImageReference('x.png', None, (100, 200)), outputs())
    assert [box.segmentation for box in only.boxes] == [second.segmentation]


def test_masks_are_drawn_and_written_as_annotations(tmp_path):
    predictor = BoxPredictor(Preprocessing(100, resize='letterbox'), ('a', 'b'), 10)
    prediction = predictor(ImageReference('x.png', None, (100, 200)), outputs())
    annotations = Annotations(tmp_path / 'set', 'coco', ('a', 'b'))
    annotations.add(prediction)
    annotations.write()
    (part,) = read_boxes(tmp_path / 'set', options=ReadOptions(root=tmp_path)).parts
    boxes = part.columns.boxes
    assert boxes.segmentations.tolist() == [box.segmentation for box in prediction.boxes]
    assert boxes.areas.tolist() == [box.mask().sum() for box in prediction.boxes]
    png = drawn_boxes(('a', 'b'))(prediction, np.zeros((100, 200, 3), np.uint8))
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    for place, box in (((90, 150), prediction.boxes[0]), ((40, 60), prediction.boxes[1])):
        assert pixels[place].tolist() == [value // 2 for value in class_color(box.number)]
    assert not pixels[3, 190].any()


def test_boxes_alone_have_no_mask():
    prediction = BoxPredictor(Preprocessing(100, resize='stretch'), ('a', 'b'), 10)(
        ImageReference('x.png', None, (100, 200)), outputs()[:1]
    )
    assert 'segmentation' not in prediction.as_dict()['boxes'][0]
    assert prediction.detections.segmentations is None
    with pytest.raises(UsageError, match='finds boxes alone: take a detector of masks'):
        prediction.boxes[0].mask()


class _Group:
    """Two processes, of which the other one has what it is given."""

    def __init__(self, other):
        self._other = other

    def gather(self, values):
        return [values, np.frombuffer(self._other, '<u4').astype(np.float64)]


def test_texts_of_other_processes_come_unchanged():
    assert gathered_texts(['{"a":"0l\\\\n"}', 'xyz'], _Group(b'12345678')) == ['{"a":"0l\\\\n"}', 'xyz', '12345678']
    assert gathered_texts([], _Group(b'abc\n')) == ['abc']

"""Boxes of several tiles are merged, and pictures are found whole again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from box_scenes import COLORS, apart, drawn, found

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.detection.tiling import predict_tiles, same_objects
from gluon_cbam.tasks.detection.prediction import BoxPredictor

SIZE = 40
PLAIN = Preprocessing(SIZE, mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3, resize='stretch')
NAMES = ('red', 'green', 'blue', 'yellow', 'cyan')


class ColorDetector:
    """A session whose network finds the rectangle of each pure color in its input of 40 pixels."""

    name, classes, class_names, devices, task = 'colors', 5, list(NAMES), 1, None

    def __init__(self, preprocessing=PLAIN):
        self.inputs, self.preprocessing = 0, preprocessing

    def prepare(self, pixels):
        return self.preprocessing(pixels)

    def start(self, images):
        outputs = np.full((len(images), 8, 6), -1.0)
        for image, rows in zip(images, outputs):
            self.inputs += 1
            pixels = image.transpose(1, 2, 0).round().astype(np.uint8)
            boxes = [(kind, found(pixels, kind)) for kind in range(len(COLORS))]
            for row, (kind, box) in enumerate((kind, box) for kind, box in boxes if box is not None):
                rows[row] = [kind, 0.5 + 0.1 * kind, *box]
        return lambda: [outputs]


def source(pixels, name='x.png', number=None):
    return ImageSource(name, number, lambda: pixels)


@pytest.fixture
def predictor():
    return BoxPredictor(PLAIN, NAMES, top=100)


@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
@pytest.mark.parametrize('shape', [(100, 170), (40, 40), (37, 90), (30, 20)])
def test_objects_over_borders_of_tiles_are_whole(shape, resize):
    preprocessing = replace(PLAIN, resize=resize)
    predictor = BoxPredictor(preprocessing, NAMES, top=100)
    boxes = apart(*shape, 3, seed=4) if min(shape) > 35 else Boxes.of([[2, 3, 18, 28]], [1])
    picture, detector = drawn(*shape, boxes), ColorDetector(preprocessing)
    (prediction,) = predict_tiles(detector, [source(picture)], predictor, SIZE, batch_size=2)
    assert prediction.image.size == shape
    mine = {box.number: box.corners for box in prediction.boxes}
    assert len(mine) == len(prediction.boxes) == len(boxes)
    for kind, corners in zip(boxes.classes.tolist(), boxes.corners):
        assert mine[kind] == pytest.approx(tuple(corners), abs=1.5)
    assert [box.score for box in prediction.boxes] == sorted((box.score for box in prediction.boxes), reverse=True)
    assert detector.inputs >= np.prod([max(1, -(-(length - 10) // 30)) for length in shape])


class MaskDetector(ColorDetector):
    """The same with masks that fill the left three quarters of their boxes."""

    def start(self, images):
        (rows,) = super().start(images)()
        masks = np.zeros((*rows.shape[:2], 28, 28))
        masks[..., :21] = 1
        return lambda: [rows, masks]


def test_masks_of_several_tiles_are_joined(predictor):
    boxes = Boxes.of([[4, 6, 96, 34], [2, 45, 30, 58]], [1, 3])
    (prediction,) = predict_tiles(MaskDetector(), [source(drawn(60, 110, boxes))], predictor, SIZE)
    assert [box.number for box in prediction.boxes] == [3, 1]
    small, large = (box.mask() for box in prediction.boxes)
    assert small.shape == large.shape == (60, 110)
    assert small[46:57, 4:22].all()
    assert not small[:, 30:].any()
    # three quarters of what each of four tiles sees, which begin every 23 to 30 pixels
    assert large[8:32, 6:30].all()
    assert large[8:32, 60:88].all()
    assert large[:, 4:96].sum() == large.sum() > 0.8 * 28 * 92
    (few,) = predict_tiles(MaskDetector(), [source(drawn(60, 110, boxes))], BoxPredictor(PLAIN, NAMES, 1), SIZE)
    assert few.boxes == prediction.boxes[:1]


def test_the_order_of_pictures_and_those_that_cannot_be_read(predictor):
    def fail():
        raise DataError('b.png: a damaged image')

    boxes = Boxes.of([[5, 5, 60, 30]], [2])
    good = drawn(50, 90, boxes)
    sources = [
        ImageSource('b.png', None, fail), source(good, 'a.rec', 3), ImageSource('c.png', None, fail),
        source(np.zeros((20, 20, 3), np.uint8), 'd.png'), ImageSource('b.png', None, fail),
    ]  # fmt: skip
    seen = []
    results = list(
        predict_tiles(
            ColorDetector(), sources, predictor, SIZE, batch_size=3, see=lambda found, pixels: seen.append(pixels.shape)
        )
    )
    assert [result.name for result in results] == ['b.png', 'a.rec#3', 'c.png', 'd.png', 'b.png']
    assert [result.error for result in results] == [
        'a damaged image', None, 'b.png: a damaged image', None, 'a damaged image',
    ]  # fmt: skip
    assert results[1].boxes[0].corners == pytest.approx((5, 5, 60, 30), abs=1.5)
    assert not results[3].boxes
    assert seen == [(50, 90, 3), (20, 20, 3)]


def test_the_surest_boxes_and_the_threshold(predictor):
    picture = drawn(60, 120, apart(60, 120, 4, 1))
    every = next(predict_tiles(ColorDetector(), [source(picture)], predictor, SIZE)).boxes
    (few,) = predict_tiles(ColorDetector(), [source(picture)], BoxPredictor(PLAIN, NAMES, top=2), SIZE)
    assert few.boxes == every[:2]
    (sure,) = predict_tiles(ColorDetector(), [source(picture)], predictor.filtered(0.75), SIZE)
    assert sure.boxes == [box for box in every if box.score >= 0.75]


FRAMES = np.array([[0, 0, 40, 40], [30, 0, 70, 40], [60, 0, 100, 40]], float)


def groups(boxes, classes, tiles):
    return same_objects(np.array(boxes, float).reshape(-1, 4), np.array(classes), np.array(tiles), FRAMES)


def test_parts_of_an_object_over_three_tiles():
    assert groups([[10, 5, 40, 20], [30, 5, 70, 21], [60, 4, 90, 20]], [1, 1, 1], [0, 1, 2]) == [[0, 1, 2]]


def test_boxes_of_one_tile_or_of_other_classes_are_not_merged():
    """A tile that sees two objects where its neighbor sees one has two; the one that agrees more is the same."""
    assert groups([[30, 0, 40, 10], [31, 0, 40, 9], [30, 0, 39, 10]], [0, 0, 0], [0, 0, 1]) == [[0, 2], [1]]
    assert groups([[30, 0, 40, 10], [30, 0, 40, 10]], [0, 1], [0, 1]) == [[0], [1]]
    assert groups([[5, 0, 20, 10], [50, 0, 55, 10]], [0, 0], [0, 1]) == [[0], [1]], 'outside of what both see'
    assert groups([[30, 0, 40, 10], [30, 6, 40, 20]], [0, 0], [0, 1]) == [[0], [1]], 'they differ in what both see'


def test_no_boxes_and_tiles_that_are_too_small(predictor):
    assert groups([], [], []) == []
    with pytest.raises(UsageError, match='--tiles must be at least 8 pixels, got 4'):
        list(predict_tiles(SimpleNamespace(), [], predictor, 4))

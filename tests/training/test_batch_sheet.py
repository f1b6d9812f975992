"""``cbam train --show-batch``: the picture has the images and labels of the first batch, of every task."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from click_runner import runner

from gluon_cbam.cli.main import cli
from gluon_cbam.data.loading.box_training import CROWD, DetectionBatch, padded
from gluon_cbam.data.loading.mask_training import MaskBatch
from gluon_cbam.data.loading.policies.erasing import Cutout
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, TrainingData
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.models import variant
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.labeled_pictures import LabeledPicture, with_label
from gluon_cbam.training.loop.batch_sheet import draw_sheet

GAP, LINE = 6, 16


def cells(path, count, tall, wide):
    """The pixels of the pictures on a sheet."""
    sheet = cv2.imread(str(path))[..., ::-1]
    assert sheet.shape[1] == min(count, 8) * (wide + GAP) + GAP
    for number in range(count):
        top, left = GAP + number // 8 * (tall + LINE + GAP), GAP + number % 8 * (wide + GAP)
        yield sheet[top : top + tall, left : left + wide]


def test_the_first_batch_of_a_run(digits, tmp_path):
    arguments = ['train', '--network', 'cbamnet_tiny', '--data-train', str(digits / 'train.rec'), '--image-size', '16',
                 '-b', '10', '--augment', 'shift', '--cutout', '6', '-j', '1']  # fmt: skip
    result = runner().invoke(cli, [*arguments, '--show-batch', str(tmp_path / 'new' / 'a.png'), '--json'])
    assert result.exit_code == 0, result.output
    path = tmp_path / 'new' / 'a.png'
    assert json.loads(result.output) == {
        'picture': str(path), 'images': 10, 'batch_size': 10, 'image_size': [16, 16],
    }  # fmt: skip
    assert [each.name for each in tmp_path.iterdir()] == ['new']
    preprocessing = Preprocessing.of(variant('cbamnet_tiny'), image_size=16)
    data = TrainingData(RecordFile(digits / 'train.rec'), 10, preprocessing, 'shift', 0, 1, further=(Cutout(6),))
    images = next(data.epoch(0)).images.asnumpy()
    for cell, image in zip(cells(path, 10, 96, 96), images):
        assert np.array_equal(cell[3::6, 3::6], image)


def test_a_picture_that_is_no_png_is_refused(digits, tmp_path):
    result = runner().invoke(cli, ['train', '--network', 'cbamnet_tiny', '--data-train', str(digits / 'train.rec'),
                                      '--show-batch', str(tmp_path / 'a.jpg')])  # fmt: skip
    assert result.exit_code == 2
    assert 'the picture is a .png file' in str(result.output) + str(result.stderr)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('shape', [(16, 24, 3), (300, 100, 1), (20, 600, 3)])
def test_pictures_of_any_shape(tmp_path, shape):
    random = np.random.default_rng(0)
    pixels = cv2.resize(random.integers(0, 256, (2, 2, 3), np.uint8), shape[1::-1], interpolation=cv2.INTER_NEAREST)
    pixels = pixels[..., : shape[2]].copy()
    draw_sheet(
        [LabeledPicture(pixels, f'$x$ {"a long name " * 9}\n{number}') for number in range(9)], tmp_path / 'a.png'
    )
    scale = min(max(*shape[:2], 96), 256) / max(shape[:2])
    tall, wide = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    for cell in cells(tmp_path / 'a.png', 9, tall, wide):
        for rows, columns in ((0, 0), (-1, -1)):
            assert np.abs(cell[rows, columns].astype(int) - pixels[rows, columns]).max() <= 1
    labels = cv2.imread(str(tmp_path / 'a.png'))[GAP + tall : GAP + tall + LINE, GAP : GAP + wide]
    assert labels.min() < 100 and labels.max() == 255  # black letters on white


def test_labels_of_whole_images():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    assert [each.text for each in with_label(images, np.array([0.0, 2, 1]), ['a', 'b', 'c'])] == ['a', 'c', 'b']
    assert [each.text for each in with_label(images, np.array([0.0, 2, 1]), None)] == ['0', '2', '1']
    several = with_label(images, np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]]), ['a', 'b', 'c'])
    assert [each.text for each in several] == ['a, c', '', 'b']
    batch = Batch(mx.nd.array(images, dtype='uint8'), mx.nd.array([0, 2, 1]))
    assert [each.text for each in get_task('faces').labeled_pictures(batch)] == ['0', '2', '1']


def test_boxes_are_drawn():
    images = mx.nd.zeros((2, 40, 50, 3), dtype='uint8')
    boxes = padded([np.array([[1, 10, 5, 30, 25], [CROWD, 35, 30, 45, 38]], np.float32), np.empty((0, 5), np.float32)])
    first, second = get_task('detection').labeled_pictures(DetectionBatch(images, mx.nd.array(boxes)), ['a', 'b'])
    assert (first.text, second.text) == ('b, crowd', '')
    rows, columns = np.nonzero((first.pixels == (0, 128, 0)).all(axis=2))  # of class 1 in the palette, after the ground
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 24, 10, 29)
    assert len(rows) == 2 * 20 + 2 * 18
    assert (first.pixels[30, 35:45] == 255).all()
    assert not second.pixels.any()


def test_masks_are_mixed_in():
    images = mx.nd.full((1, 4, 4, 3), 100, dtype='uint8')
    masks = np.zeros((1, 4, 4), np.uint8)
    masks[0, 0], masks[0, 1] = 1, 255
    (picture,) = get_task('segmentation').labeled_pictures(MaskBatch(images, mx.nd.array(masks, dtype='uint8')))
    assert picture.text == '0, 1'
    assert picture.pixels[0, 0].tolist() == [(100 + 128) // 2, 50, 50]
    assert picture.pixels[3, 3].tolist() == [50, 50, 50]

"""Predicted boxes as pictures and as annotations that the readers of these formats read."""

import json

import cv2
import numpy as np
import pytest

from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.decoding import decode
from gluon_cbam.inference.model import load


@pytest.fixture(scope='module')
def pictures(scenes, tmp_path_factory):
    """Six pictures of the validation data as files."""
    folder = tmp_path_factory.mktemp('pictures')
    records = BoxRecords(scenes / 'val.rec').records
    for number in range(6):
        pixels = decode(records[number].image, 'x')
        cv2.imwrite(str(folder / f'{number}.png'), pixels[..., ::-1])
    return folder


@pytest.fixture(scope='module')
def predicted(trained, pictures):
    """What is found in each, by name."""
    found = load(str(trained)).predict(pictures)
    return {prediction.file.rpartition('/')[2]: prediction for prediction in found}


@pytest.mark.parametrize('form', ['coco', 'voc', 'yolo', 'csv'])
def test_annotations_are_read_again(cbam_here, trained, pictures, predicted, tmp_path, form):
    process = cbam_here(
        'predict', pictures, '--params', trained, '--annotations', tmp_path / 'set',
        '--annotations-format', form,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    for name in predicted:  # the pictures belong there
        place = {
            'coco': 'train', 'voc': 'JPEGImages', 'yolo': 'images/train', 'csv': 'train'
        }[form]  # fmt: skip
        (tmp_path / 'set' / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / 'set' / place / name).write_bytes((pictures / name).read_bytes())
    found = read_boxes(tmp_path / 'set' / ('train.csv' if form == 'csv' else ''))
    (part,) = found.parts
    images = {image.name.rpartition('/')[2]: image.boxes for image in part.columns}
    assert set(images) == set(predicted)
    assert sum(map(len, images.values())) > 10
    for name, boxes in images.items():
        mine = predicted[name]
        assert [found.classes[kind] for kind in boxes.classes] == [box.label for box in mine.boxes]
        assert np.allclose(boxes.corners, mine.detections.corners, atol=1e-6)


def test_pictures_are_drawn(cbam_here, trained, pictures, predicted, tmp_path):
    process = cbam_here('predict', pictures, '--params', trained, '--draw', tmp_path / 'drawn')
    assert process.returncode == 0, process.stderr
    assert len(process.stdout.splitlines()) == 6
    assert {path.name for path in (tmp_path / 'drawn').iterdir()} == set(predicted)
    for name, image in predicted.items():
        drawn, plain = (cv2.imread(str(folder / name)) for folder in (tmp_path / 'drawn', pictures))
        assert drawn.shape == plain.shape
        assert np.array_equal(drawn, plain) != bool(image.boxes)


def test_records_are_named_by_their_number(cbam_here, trained, scenes, tmp_path):
    process = cbam_here('predict', scenes / 'val.rec', '--params', trained, '--draw', tmp_path, '--limit', 3)
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f'val-{number:06d}.png' for number in range(3)]


def test_two_pictures_of_one_name(cbam_here, trained, pictures, tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.png').write_bytes((pictures / '1.png').read_bytes())
    arguments = ['predict', tmp_path / 'a', tmp_path / 'b', '--params', trained]
    process = cbam_here(*arguments, '--annotations', tmp_path / 'set')
    assert process.returncode == 4
    assert 'b/x.png would have one file of annotations: predict them in two calls' in process.stderr
    assert not (tmp_path / 'set').exists()
    assert 'would both be drawn as x.png' in cbam_here(*arguments, '--draw', tmp_path / 'drawn').stderr


def test_what_cannot_be_written(cbam_here, trained, pictures, digits, tmp_path):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'x').touch()
    process = cbam_here('predict', pictures, '--params', trained, '--annotations', tmp_path / 'full')
    assert process.returncode == 2
    assert 'full exists and is not empty: give another folder' in process.stderr
    process = cbam_here(
        'predict', digits / 'val.rec', '--pretrained', 'cbamnet_tiny.digits', '--draw', tmp_path / 'new'
    )
    assert process.returncode == 2
    assert f'--draw {tmp_path}/new: cbamnet_tiny finds no boxes: leave it out' in process.stderr
    assert not (tmp_path / 'new').exists()


def test_large_pictures_in_tiles(cbam_here, trained, pictures, predicted, tmp_path):
    """Four pictures side by side and one above the other, in tiles of their size that share a quarter."""
    parts = [cv2.resize(cv2.imread(str(pictures / f'{number}.png')), (48, 48)) for number in range(4)]
    cv2.imwrite(str(tmp_path / 'large.png'), np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])]))
    arguments = ['predict', tmp_path / 'large.png', pictures / '1.png', '--params', trained, '--tiles', 48, '--json']
    process = cbam_here(*arguments, '--draw', tmp_path / 'drawn')
    assert process.returncode == 0, process.stderr
    large, small = json.loads(process.stdout)['images']
    assert (large['height'], large['width']) == (96, 96)
    corners = np.array([box['box'] for box in large['boxes']])
    assert len(corners)
    assert corners.min() >= 0
    assert corners.max() <= 96
    assert (corners[:, 2] > 60).any(), 'in the right half, too'
    assert cv2.imread(str(tmp_path / 'drawn' / 'large.png')).shape == (96, 96, 3)
    if max(small['height'], small['width']) <= 48:
        assert len(small['boxes']) == len(predicted['1.png'].boxes)


def test_tiles_are_for_boxes(cbam_here, digits):
    process = cbam_here('predict', digits / 'val.rec', '--pretrained', 'cbamnet_tiny.digits', '--tiles', 48)
    assert process.returncode == 2
    assert '--tiles 48: cbamnet_tiny finds no boxes: leave it out' in process.stderr

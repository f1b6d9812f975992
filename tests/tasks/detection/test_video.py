"""Boxes in a video: JSON and CSV by frame, drawn frames, annotations; each as of the frame as a picture."""

import csv
import json

import cv2
import numpy as np
import pytest
from box_scenes import apart, drawn
from detection_runs import NAMES

from gluon_cbam.detection.drawing import detection_boxes, draw_boxes
from gluon_cbam.inference.model import load

FRAMES, SHAPE = 5, (48, 64)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A video of rectangles that differ in every frame, and its frames as they are decoded."""
    path = tmp_path_factory.mktemp('video') / 'scene.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, SHAPE[::-1])
    for number in range(FRAMES):
        writer.write(np.ascontiguousarray(drawn(*SHAPE, apart(*SHAPE, 2, number))[..., ::-1]))
    writer.release()
    capture = cv2.VideoCapture(str(path))
    frames = [np.ascontiguousarray(capture.read()[1][..., ::-1]) for _ in range(FRAMES)]
    capture.release()
    return path, frames


@pytest.fixture(scope='module')
def expected(video, trained):
    """What the network finds in the frames as pictures."""
    return load(str(trained)).predict(video[1], top=5)


def test_frames_have_rows_of_their_own(video, trained, expected, cbam_here, tmp_path):
    words = ['predict', video[0], '--params', trained, '--top-k', 5]
    images = json.loads(cbam_here(*words, '--json').stdout)['images']
    assert len(images) == FRAMES
    for number, (image, prediction) in enumerate(zip(images, expected)):
        assert (image['file'], image['number']) == (str(video[0]), number)
        assert (image['height'], image['width']) == SHAPE
        boxes = [(box.label, *box.corners) for box in prediction.boxes]
        assert boxes
        assert [(box['label'], *box['box']) for box in image['boxes']] == [
            pytest.approx(box, abs=1e-2) for box in boxes
        ]
    assert cbam_here(*words, '--csv', tmp_path / 'boxes.csv').returncode == 0
    with open(tmp_path / 'boxes.csv') as file:
        rows = list(csv.DictReader(file))
    labels = [(number, box.label) for number, each in enumerate(expected) for box in each.boxes]
    assert [(int(row['number']), row['label']) for row in rows] == labels


def test_frames_are_drawn(video, trained, expected, cbam_here, tmp_path):
    words = ['predict', video[0], '--params', trained, '--top-k', 5, '--every', 2]
    folders = '--draw', tmp_path / 'drawn', '--annotations', tmp_path / 'labels'
    assert cbam_here(*words, *folders).returncode == 0
    names = [f'scene-{number:06d}.png' for number in range(0, FRAMES, 2)]
    assert sorted(path.name for path in (tmp_path / 'drawn').iterdir()) == names
    for number, name in zip(range(0, FRAMES, 2), names):
        found = cv2.imread(str(tmp_path / 'drawn' / name))[..., ::-1]
        mine = draw_boxes(video[1][number], detection_boxes(expected[number].detections, NAMES))
        assert (found != mine).mean() < 0.01
    (path,) = (tmp_path / 'labels').rglob('*.json')
    value = json.loads(path.read_text())
    assert sorted(image['file_name'].rpartition('/')[2] for image in value['images']) == names
    assert len(value['annotations']) == sum(len(expected[number].boxes) for number in range(0, FRAMES, 2))


def test_frames_are_cut_into_tiles(video, trained, cbam_here):
    words = ['predict', video[0], '--params', trained, '--tiles', 32, '--json']
    images = json.loads(cbam_here(*words).stdout)['images']
    assert [(image['height'], image['width']) for image in images] == [SHAPE] * FRAMES
    assert all(0 <= box['box'][0] <= box['box'][2] <= SHAPE[1] for image in images for box in image['boxes'])

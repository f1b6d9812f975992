"""Frames of videos and cameras."""

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError, EnvironmentProblem
from gluon_cbam.data.sources.images import open_camera, open_images

FRAMES = 12


@pytest.fixture(scope='module', params=['MJPG.avi', 'mp4v.mp4', 'FFV1.mkv'])
def clip(request, tmp_path_factory):
    """A video, red above and blue below; later frames are brighter."""
    code, ending = request.param.split('.')
    path = str(tmp_path_factory.mktemp('clip') / f'clip.{ending.upper()}')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), 10, (64, 48))
    for number in range(FRAMES):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:24, :, 2], frame[24:, :, 0] = 20 * number, 20 * number
        writer.write(frame)
    writer.release()
    return path


def test_frames(clip):
    images = list(open_images([clip]))
    assert [(image.file, image.number) for image in images] == [(clip, n) for n in range(FRAMES)]
    for image in images:
        pixels = image.decode().astype(float)
        assert pixels.shape == (48, 64, 3)
        assert abs(pixels[4:20, :, 0].mean() - 20 * image.number) < 8  # red is the first channel, above
        assert abs(pixels[28:44, :, 2].mean() - 20 * image.number) < 8
        assert pixels[4:20, :, 2].mean() < 8


def test_some_frames(clip):
    chosen = list(open_images([clip], every=5))
    assert [image.number for image in chosen] == [0, 5, 10]
    assert abs(chosen[1].decode()[4:20, :, 0].mean() - 100) < 8
    assert [image.number for image in open_images([clip, clip], every=5, limit=4)] == [0, 5, 10, 0]


def test_a_video_that_cannot_be_read_is_one_bad_image(tmp_path):
    (tmp_path / 'text.mp4').write_bytes(b'no video' * 99)
    (broken,) = open_images([str(tmp_path / 'text.mp4')])
    with pytest.raises(DataError, match='text.mp4: no video that'):
        broken.decode()


def test_a_camera(clip, capfd):
    """A stream, opened by its URL; without a camera, the error is one line."""
    images = open_camera(clip, every=2, limit=3)
    assert [(image.file, image.number) for image in images] == [(clip, 0), (clip, 2), (clip, 4)]
    with pytest.raises(EnvironmentProblem, match='camera 77 gives no frame'):
        next(open_camera('77'))
    assert capfd.readouterr().err == ''


def test_the_number_of_a_camera(monkeypatch):
    opened = []

    class Camera:
        isOpened = grab = staticmethod(lambda: True)  # noqa: N815 (OpenCV's name)
        retrieve = staticmethod(lambda: (True, np.zeros((4, 6, 3), np.uint8)))
        release = staticmethod(lambda: opened.append('released'))

    monkeypatch.setattr(cv2, 'VideoCapture', lambda source: opened.append(source) or Camera())
    assert [image.file for image in open_camera('0', limit=2)] == ['camera 0'] * 2
    assert opened == [0, 'released']

"""Small images are read and decoded once, and random numbers are those of new generators."""

import threading

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import EncodedImage, decode, small
from gluon_cbam.data.loading.draws import PositionedGenerators
from gluon_cbam.data.records import images
from gluon_cbam.data.records.images import open_record
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter


def png(pixels):
    return cv2.imencode('.png', pixels)[1].tobytes()


def colors(side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


@pytest.fixture
def records(tmp_path):
    """Color, gray in three channels, gray in one, and an image that is not small."""
    gray = np.repeat(colors(28, 1)[..., :1], 3, axis=2)
    pictures = [colors(28), gray, gray[..., 0], colors(65)]
    with RecordWriter(tmp_path / 'x.rec') as writer:
        for number, pixels in enumerate(pictures):
            writer.write(number, png(pixels))
        writer.write(9, png(colors(28))[:-30])
    return RecordFile(tmp_path / 'x.rec')


def test_pixels_are_decoded_once_and_may_be_changed(records, monkeypatch):
    opened = []
    monkeypatch.setattr(images, 'EncodedImage', lambda *given: opened.append(given) or EncodedImage(*given))
    for number in range(4):
        expected = decode(records.image(number), 'x')
        for _ in range(3):
            image = open_record(records, number)
            assert (image.height, image.width) == expected.shape[:2]
            pixels = image.pixels()
            assert np.array_equal(pixels, expected)
            assert pixels.flags['C_CONTIGUOUS']
            pixels[:] = 7
    assert len(opened) == 3 + 3, 'the last one is not small'


def test_a_damaged_image_is_damaged_each_time(records):
    for _ in range(2):
        with pytest.raises(DataError, match='record 4 at offset'):
            open_record(records, 4).pixels()


def test_parts_of_a_file_have_images_of_their_own(records):
    open_record(records, 0).pixels()
    part = records.chosen(np.array([False, True, False, True, False]))
    assert np.array_equal(open_record(part, 0).pixels(), decode(records.image(1), 'x'))


def test_memory_is_limited(records, monkeypatch):
    monkeypatch.setattr(small, '_MEMORY', 28 * 28 * 3)
    kept = [open_record(records, number) is open_record(records, number) for number in range(3)]
    assert kept == [True, False, False]


def test_generators_are_those_of_philox():
    generators = PositionedGenerators((3, 5), 1)
    for number, position in ((0, 7), (1, 8), (0, 9), (0, 7)):
        new = np.random.Generator(np.random.Philox(key=(3, 5), counter=(0, position, 1, 0)))
        ours = generators.moved(number, position)
        assert ours.random(3).tolist() == new.random(3).tolist()
        assert ours.integers(0, 9, 5, np.int32).tolist() == new.integers(0, 9, 5, np.int32).tolist()
    other = []
    thread = threading.Thread(target=lambda: other.append(generators.moved(0, 7)))
    thread.start()
    thread.join()
    assert other[0] is not generators.moved(0, 7)

"""Record files that several tests of this room share."""

import cv2
import numpy as np
import pytest

from gluon_cbam.data.recordio import RecordFile, RecordWriter

NUMBERED = 50
BAD = 6


def photo(height, width, seed=0):
    """A smooth random picture, as photographs are."""
    small = np.random.RandomState(seed).randint(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(ending='.jpg', seed=0):
    return cv2.imencode(ending, photo(48, 64, seed))[1].tobytes()


@pytest.fixture(scope='session')
def numbered(tmp_path_factory):
    """A file of 50 images of the brightness of 5 times their number, so that an image tells which record it is; their
    label is the number."""
    path = tmp_path_factory.mktemp('numbered') / 'numbered.rec'
    with RecordWriter(path) as writer:
        for number in range(NUMBERED):
            writer.write(number, cv2.imencode('.png', np.full((8, 8, 3), 5 * number, np.uint8))[1].tobytes())
    return RecordFile(path)


@pytest.fixture(scope='session')
def photos(tmp_path_factory):
    """A file of 30 JPEGs, some upright, some not."""
    path = tmp_path_factory.mktemp('photos') / 'photos.rec'
    with RecordWriter(path) as writer:
        for number in range(30):
            shape = (40, 56) if number % 2 else (60, 44)
            writer.write(number, cv2.imencode('.jpg', photo(*shape, number))[1].tobytes())
    return RecordFile(path)


BAD_IMAGES = {
    'text': b'not an image',
    'empty': b'',
    'zeros': bytes(600),
    'cut': encoded()[: len(encoded()) // 2],
    'cut in its header': encoded()[:100],
    'garbage at the end': encoded()[:300] + np.random.RandomState(1).bytes(900),
    'PNG with a wrong checksum': encoded('.png')[:90] + b'xx' + encoded('.png')[92:],
    'WebP': encoded('.webp'),
}


@pytest.fixture(params=BAD_IMAGES)
def with_bad_image(request, tmp_path):
    """A file of ten images of which number 6 is bad."""
    with RecordWriter(tmp_path / 'bad.rec') as writer:
        for number in range(10):
            writer.write(0, BAD_IMAGES[request.param] if number == BAD else encoded())
    return RecordFile(tmp_path / 'bad.rec')

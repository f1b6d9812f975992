"""Fixtures with image files."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope='session')
def write_image():
    """Writes a smooth image that depends on the seed, and returns its bytes."""

    def write(path, seed, height=40, width=60):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = cv2.resize(np.random.RandomState(seed).randint(0, 256, (4, 4, 3), np.uint8), (width, height))
        assert cv2.imwrite(str(path), pixels)
        return path.read_bytes()

    return write


@pytest.fixture
def folders(tmp_path, write_image):
    """Three classes of two images, one PNG and one JPEG with an upper-case suffix, and a file that is not an image."""
    root = tmp_path / 'images'
    images = {}
    for label, name in enumerate(['cat', 'dog', 'zebra']):
        for number, ending in enumerate(['.JPEG', '.png']):
            path = root / name / f'{number}{ending}'
            images[path] = (label, write_image(path, 10 * label + number))
    (root / 'cat' / 'notes.txt').write_text('a note')
    return root, images


@pytest.fixture
def contents():
    """Reads a packed file -> [(label, image), ...]."""
    from gluon_cbam.data.records.recordio import RecordFile

    def read(path):
        records = RecordFile(path)
        return [(int(records[number].labels[0]), records[number].image) for number in range(len(records))]

    return read

"""Record files that several tests read."""

import cv2
import numpy as np

from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

NUMBERED = 50
BAD = 6


def photo(height, width, seed=0):
    """A smooth random picture, as photographs are."""
    small = np.random.RandomState(seed).randint(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(pixels=None, ending='.jpg'):
    """The bytes of an image, of a photo of 64 x 48 pixels unless another is given."""
    return cv2.imencode(ending, photo(48, 64) if pixels is None else pixels)[1].tobytes()


def write(path, images):
    """A file of encoded images, whose labels are their numbers."""
    with RecordWriter(path) as writer:
        for number, image in enumerate(images):
            writer.write(number, image)
    return RecordFile(path)


def numbered_images(count):
    """Images of the brightness of 5 times their number, so that an image tells which record it is."""
    return [encoded(np.full((8, 8, 3), 5 * number, np.uint8), '.png') for number in range(count)]


def write_numbered(folder):
    return write(folder / 'numbered.rec', numbered_images(NUMBERED))


BAD_IMAGES = {
    'text': b'not an image',
    'empty': b'',
    'zeros': bytes(600),
    'cut': encoded()[: len(encoded()) // 2],
    'cut in its header': encoded()[:100],
    'garbage at the end': encoded()[:300] + np.random.RandomState(1).bytes(900),
    'PNG with a wrong checksum': encoded(ending='.png')[:90] + b'xx' + encoded(ending='.png')[92:],
    'PPM': encoded(ending='.ppm'),
}


def write_with_bad_image(folder, kind):
    """A file of ten images of which number 6 is bad."""
    return write(folder / 'bad.rec', [BAD_IMAGES[kind] if number == BAD else encoded() for number in range(10)])

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
    'cut and ended': encoded()[: len(encoded()) * 3 // 4] + b'\xff\xd9',
    'cut in its header': encoded()[:100],
    'garbage at the end': encoded()[:300] + np.random.RandomState(1).bytes(900),
    'PNG with a wrong checksum': encoded(ending='.png')[:90] + b'xx' + encoded(ending='.png')[92:],
    'PPM': encoded(ending='.ppm'),
}


def write_with_bad_image(folder, kind):
    """A file of ten images of which number 6 is bad."""
    return write(folder / 'bad.rec', [BAD_IMAGES[kind] if number == BAD else encoded() for number in range(10)])


def write_faces(path, identities=(0, 0, 0, 1, 1, 2), pairs=True, header_first=False, images=None):
    """A file as insightface's face2rec2.py writes it: pictures, a header with id 0, identity records.

    Args:
        path: the file.
        identities: the identity of each picture, in groups.
        pairs: whether a picture has the labels (identity, aligned), as face2rec2.py writes them, or a number.
        header_first: whether the header begins the file.
        images: the encoded pictures.
    """
    from mxnet import recordio

    images = images or [photo_of(number) for number in range(len(identities))]
    starts = [
        number for number in range(len(identities)) if number == 0 or identities[number] != identities[number - 1]
    ]
    pictures = len(identities)
    entries = [
        (number, recordio.IRHeader(0, [identity, 1.0] if pairs else float(identity), number, 0), image)
        for number, (identity, image) in enumerate(zip(identities, images), 1)
    ]
    header = (0, recordio.IRHeader(2, [pictures + 1.0, pictures + 1.0 + len(starts)], 0, 0), b'')
    entries.insert(0 if header_first else len(entries), header)
    for number, (begin, end) in enumerate(zip(starts, [*starts[1:], pictures])):
        key = pictures + 1 + number
        entries.append((key, recordio.IRHeader(2, [begin + 1.0, end + 1.0], key, 0), b''))
    writer = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for key, head, image in entries:
        writer.write_idx(key, recordio.pack(head, image))
    writer.close()
    return path


def photo_of(number):
    """An encoded image that is different for each number."""
    return encoded(photo(16, 16, number))

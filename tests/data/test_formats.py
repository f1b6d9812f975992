"""Formats of images: recognized by their bytes, under any name."""

from io import BytesIO

import numpy as np
import pytest
from odd_images import OTHER, READABLE
from PIL import Image

from gluon_cbam.data.decoding import FORMATS, IMAGE_ENDINGS, decode, format_of

NAMES = {'jpg': 'JPEG', 'png': 'PNG', 'bmp': 'BMP', 'webp': 'WebP', 'gif': 'GIF', 'tiff': 'TIFF', 'avif': 'AVIF'}


def test_the_bytes_tell_the_format():
    for name, image in READABLE.items():
        ending = {'tif': 'tiff'}.get(name.rpartition('.')[2], name.rpartition('.')[2])
        expected = 'WebP' if name == 'misnamed.jpg' else NAMES[ending]
        for given in (image, memoryview(image), image[:64]):
            assert format_of(given).name == expected, name
    for image in (*OTHER.values(), b'', b'RIFF\0\0\0\0WAVE', bytes(4) + b'ftypmp42isom'):
        assert format_of(image) is None


@pytest.mark.parametrize(
    ('begin', 'known'),
    [
        (b'\0\0\0\x1cftypavif\0\0\0\0', True),
        (b'\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf', True),  # named among the compatible brands
        (b'\0\0\0\x10ftypmif1\0\0\0\0mif1avifmiaf', False),  # behind the end of the list
        (b'\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf', False),
    ],
)
def test_brands_of_avif(begin, known):
    assert (format_of(begin) is not None) == known


def test_endings_are_named_once():
    assert len(set(IMAGE_ENDINGS)) == len(IMAGE_ENDINGS)
    assert {row.name for row in FORMATS if row.packed_as_is} == {'JPEG', 'PNG', 'BMP'}


def test_tags_of_maps_in_tiff_are_no_warnings(capfd):
    file = BytesIO()
    Image.fromarray(np.full((8, 9, 3), 70, np.uint8)).save(file, 'TIFF', tiffinfo={33550: (0.1, 0.1, 0.0)})
    assert decode(file.getvalue(), 'map.tif').shape == (8, 9, 3)
    assert capfd.readouterr().err == ''

"""JPEG: the pixels of OpenCV, and data that are missing or corrupt."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from records import photo

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import decode

PHOTO = photo(60, 90, seed=3)


def jpeg(pixels=PHOTO, mode='RGB', orientation=None, **options):
    """The bytes of a JPEG that Pillow writes."""
    if orientation:
        options['exif'] = Image.Exif()
        options['exif'][0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, 'JPEG', **options)
    return file.getvalue()


def by_opencv(image):
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('subsampling', [0, 1, 2])
@pytest.mark.parametrize('shape', [(60, 90), (1, 1), (7, 33), (40, 1)])
def test_pixels_of_opencv(shape, subsampling, progressive):
    for mode in ('RGB', 'L'):
        for quality in (30, 95):
            image = jpeg(photo(*shape), mode, quality=quality, subsampling=subsampling, progressive=progressive)
            assert np.array_equal(decode(image, 'a'), by_opencv(image))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientations(orientation):
    image = jpeg(orientation=orientation)
    assert np.array_equal(decode(image, 'a'), by_opencv(image))
    cut = image.replace(b'Exif\0\0MM', b'Exif\0\0XX')
    assert np.array_equal(decode(cut, 'a'), by_opencv(cut))


@pytest.mark.parametrize('options', [{'mode': 'CMYK'}, {'keep_rgb': True}, {'restart_marker_rows': 1}])
def test_further_kinds(options):
    image = jpeg(**options)
    assert np.array_equal(decode(image, 'a'), by_opencv(image))


@pytest.mark.parametrize(
    'options',
    [{}, {'progressive': True}, {'restart_marker_rows': 1}, {'mode': 'L'}, {'mode': 'CMYK'}, {'orientation': 6}],
)
def test_missing_data_are_damage_although_libjpeg_decodes_them(options):
    image = jpeg(quality=95, **options)
    begin = image.rindex(b'\xff\xda') if not options.get('progressive') else len(image) // 4
    for part in np.linspace(0.1, 0.97, 9):
        cut = image[: begin + int(part * (len(image) - begin))].rstrip(b'\xff') + b'\xff\xd9'
        with pytest.raises(DataError, match='x.jpg: a damaged image .*: Corrupt JPEG data: '):
            decode(cut, 'x.jpg')


def test_corrupt_data_are_damage():
    image = bytearray(jpeg(restart_marker_rows=1))
    image[image.index(b'\xff\xd2') + 1] = 0xD6
    with pytest.raises(DataError, match='found marker 0xd6 instead of RST2'):
        decode(bytes(image), 'x.jpg')


def test_warnings_about_headers_are_no_damage():
    image = bytearray(jpeg())
    image[image.index(b'JFIF\0') + 5] = 9
    assert np.array_equal(decode(bytes(image), 'a'), by_opencv(jpeg()))


def test_only_the_first_image_of_a_file_counts():
    assert np.array_equal(decode(jpeg() + jpeg()[:200], 'a'), by_opencv(jpeg()))


def test_too_many_scans_are_refused():
    image = jpeg(progressive=True)
    last = image.rindex(b'\xff\xda')
    with pytest.raises(DataError, match='it has 1.. scans'):
        decode(image[:last] + 100 * image[last:-2] + image[-2:], 'x.jpg')

"""The upper rows of a JPEG, and JPEGs in a smaller size, compared with what is decoded as a whole."""

import struct

import cv2
import numpy as np
import pytest

from gluon_cbam.benchmarks.textures import texture
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import EncodedImage
from gluon_cbam.data.decoding.headers import Damaged
from gluon_cbam.data.decoding.jpeg import decode_jpeg, decode_reduced, decode_rows
from gluon_cbam.data.decoding.jpeg_header import read_jpeg

SAMPLINGS = [getattr(cv2, f'IMWRITE_JPEG_SAMPLING_FACTOR_{name}') for name in ('411', '420', '422', '440', '444')]


def jpeg(height, width, seed=0, *options, gray=False):
    pixels = texture(np.random.default_rng(seed), height, width)
    return cv2.imencode('.jpg', pixels[..., 0] if gray else pixels, [int(each) for each in options])[1].tobytes()


def smooth(height, width):
    """Colors without the detail in which means of blocks and of their frequencies differ."""
    pixels = cv2.GaussianBlur(texture(np.random.default_rng(0), height, width), (0, 0), 3)
    return cv2.imencode('.jpg', pixels)[1].tobytes()


def of_sampling(height, width, seed, sampling):
    if sampling is None:
        return jpeg(height, width, seed, gray=True)
    return jpeg(height, width, seed, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)


@pytest.mark.parametrize('sampling', [*SAMPLINGS, None])
def test_rows_are_those_of_the_whole_image(sampling):
    random, shortened = np.random.default_rng(1), 0
    for seed in range(12):
        height, width = random.integers(1, 120, 2)
        image = of_sampling(height, width, seed, sampling)
        header = read_jpeg(image)
        whole = decode_jpeg(image, header)
        for rows in range(1, height + 1):
            upper = decode_rows(image, header, rows)
            if upper is not None:
                assert rows <= len(upper) < height
                assert np.array_equal(upper[:rows], whole[:rows])
                shortened += 1
    assert shortened > 100


@pytest.mark.parametrize('options', [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_other_kinds_are_decoded_as_a_whole(options):
    """Of several scans, each has all rows; after a restart marker, a warning may be of the rows before it."""
    image = jpeg(96, 80, 0, *options)
    assert decode_rows(image, read_jpeg(image), 16) is None
    assert np.array_equal(EncodedImage(image, 'x').pixels(16), decode_jpeg(image, read_jpeg(image)))


def test_damage_above_is_found_and_a_missing_end_too():
    """Whatever a changed byte does to the rows that are needed, they are the ones that libjpeg makes of it."""
    image, random = jpeg(96, 80), np.random.default_rng(0)
    begin, refused = image.index(b'\xff\xda') + 14, 0
    for _ in range(300):
        changed = bytearray(image)
        changed[random.integers(begin, len(image))] = random.integers(256)
        header = read_jpeg(bytes(changed))
        upper = decode_rows(bytes(changed), header, 40)
        if upper is None:
            refused += 1
            continue
        assert np.array_equal(upper[:40], cv2.imdecode(np.frombuffer(changed, np.uint8), cv2.IMREAD_COLOR_RGB)[:40])
    assert 0 < refused < 250
    for cut in (begin + 10, len(image) * 2 // 3, len(image) - 2):
        with pytest.raises(DataError, match='damaged image'):
            EncodedImage(image[:cut], 'x').pixels(16)
        with pytest.raises(Damaged):
            decode_jpeg(image[:cut], read_jpeg(image))
        assert decode_reduced(image[:cut], read_jpeg(image), 20, 20, 16) is None


@pytest.mark.parametrize('sampling', [*SAMPLINGS, None])
def test_smallest_scale_that_suffices(sampling):
    """A side of 96 of 160 pixels is 3/5 of it: more than 4/8, the largest scale below the image's own."""
    image = of_sampling(160, 240, 0, sampling)
    expected = {1: 1, 20: 1, 20.1: 2, 40: 2, 41: 3, 60: 3, 61: 4, 80: 4, 80.1: None, 96: None, 160: None}
    for side, eighths in expected.items():
        for least in ((side, 1), (1, side * 240 / 160)):
            reduced = EncodedImage(image, 'x').reduced(*least, 160)
            assert (reduced and reduced.scale * 8) == eighths
            if reduced:
                assert reduced.pixels.shape == (160 * eighths // 8, 240 * eighths // 8, 4)


def test_reduced_pixels_are_means_of_the_image():
    image = smooth(160, 240)
    whole = decode_jpeg(image, read_jpeg(image)).astype(float)
    for eighths in (1, 2, 4):
        block = 8 // eighths
        means = whole.reshape(160 // block, block, 240 // block, block, 3).mean((1, 3))
        reduced = EncodedImage(image, 'x').reduced(20 * eighths, 1, 160).pixels[..., :3]
        assert np.abs(reduced - means).mean() < 1.5
        upper = EncodedImage(image, 'x').reduced(20 * eighths, 1, 50).pixels[..., :3]
        needed = 50 * eighths // 8
        assert needed <= len(upper) < len(reduced)
        assert np.array_equal(upper[:needed], reduced[:needed])


def test_what_is_turned_or_no_jpeg_is_not_reduced():
    png = cv2.imencode('.png', np.zeros((160, 160, 3), np.uint8))[1].tobytes()
    assert EncodedImage(png, 'x').reduced(10, 10, 160) is None
    image = jpeg(160, 240)
    exif = b'Exif\0\0' + struct.pack('<2sHIHHHIHHI', b'II', 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    turned = image[:2] + b'\xff\xe1' + struct.pack('>H', 2 + len(exif)) + exif + image[2:]
    encoded = EncodedImage(turned, 'x')
    assert (encoded.height, encoded.width) == (240, 160)
    assert encoded.reduced(10, 10, 160) is None


def test_fast_pixels_of_a_whole_image_are_close():
    image = smooth(96, 80)
    header = read_jpeg(image)
    exact, fast = decode_jpeg(image, header), decode_rows(image, header, 96, fast=True)
    assert fast.shape == exact.shape
    assert 0 < np.abs(fast.astype(int) - exact).mean() < 4

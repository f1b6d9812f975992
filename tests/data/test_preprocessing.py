"""Preprocessing compared with MXNet's own reader, and computed by hand."""

import struct
import zlib

import cv2
import mxnet as mx
import numpy as np
import pytest
from odd_images import READABLE, pillow
from records import photo

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from gluon_cbam.data.records.recordio import RecordWriter


@pytest.mark.parametrize('shape', [(60, 90), (90, 60), (48, 48)])
def test_equals_mxnets_reader(tmp_path, shape):
    image = cv2.imencode('.png', photo(*shape))[1].tobytes()
    with RecordWriter(tmp_path / 'a.rec') as writer:
        writer.write(0, image)
    preprocessing = Preprocessing(32, 0.875)
    normalize = {}
    for channel, mean, std in zip('rgb', preprocessing.mean, preprocessing.std):
        normalize.update({f'mean_{channel}': 255 * mean, f'std_{channel}': 255 * std})
    reader = mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / 'a.rec'), data_shape=(3, 32, 32), batch_size=1, resize=37, verbose=False, **normalize
    )
    theirs = reader.next().data[0].asnumpy()[0]
    ours = preprocessing(decode(image, 'a'))
    assert ours.shape == (3, 32, 32)
    assert ours.dtype == np.float32
    gray_level = 1 / (255 * 0.225)
    assert np.abs(ours - theirs).mean() < 0.5 * gray_level
    assert np.abs(ours - theirs[::-1]).mean() > 10 * gray_level  # RGB, not BGR
    assert np.abs(ours - theirs[:, :, ::-1]).mean() > 10 * gray_level


def test_by_hand():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    result = Preprocessing(4, 1.0)(pixels)
    expected = (pixels[:, 1:5] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(result - expected.transpose(2, 0, 1)).max() < 1e-5


def test_gray():
    preprocessing = Preprocessing(8, 1.0).of_channels(1)
    pixels = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype(np.uint8)
    assert preprocessing(pixels).shape == (1, 8, 8) and preprocessing.channels == 1
    gray = preprocessing.to_channels(pixels)[..., 0]
    assert np.abs(gray - pixels @ [0.299, 0.587, 0.114]).max() < 0.51  # ITU-R BT.601
    mean, std = (np.dot([0.299, 0.587, 0.114], part) for part in (IMAGENET_MEAN, IMAGENET_STD))
    np.testing.assert_allclose(preprocessing(pixels)[0], (gray / 255 - mean) / std, atol=1e-5)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(preprocessing.to_channels(np.stack([levels] * 3, -1))[..., 0], levels)


def test_channels():
    preprocessing = Preprocessing(8)
    assert preprocessing.of_channels(3) is preprocessing
    assert preprocessing.channels == 3
    gray = preprocessing.of_channels(1)
    assert gray.of_channels(3).mean == gray.mean * 3 and len(set(gray.ground)) == 1
    faces = Preprocessing(8, mean=(0.0,) * 3, std=(1 / 255,) * 3).of_channels(1)
    assert (faces.mean, faces.std) == ((0.0,), (1 / 255,)), 'no noise of rounding'
    assert Preprocessing.from_dict(gray.as_dict()) == gray
    for mean, std in (((0.5,) * 2, (0.5,) * 2), ((0.5,), (0.5,) * 3), ((), ())):
        with pytest.raises(UsageError, match='mean and std must have one value or three each'):
            Preprocessing(8, mean=mean, std=std)


def test_round_trip():
    preprocessing = Preprocessing(96, 0.9, mean=(0.5, 0.5, 0.5))
    assert Preprocessing.from_dict(preprocessing.as_dict()) == preprocessing
    for damaged in ({'image_size': 3}, {**preprocessing.as_dict(), 'color': 1}):
        with pytest.raises(DataError, match='not a preprocessing'):
            Preprocessing.from_dict(damaged)


def test_gray_and_transparent_images_have_three_channels():
    for shape in ((5, 7), (5, 7, 4)):
        image = cv2.imencode('.png', np.full(shape, 200, np.uint8))[1].tobytes()
        assert (decode(image, 'a') == 200).all()
        assert decode(image, 'a').shape == (5, 7, 3)


@pytest.mark.parametrize('name', READABLE)
def test_equals_pillow(name):
    """Orientation, alpha, palettes, 16 bits, CMYK, the first of several images."""
    ours, theirs = decode(READABLE[name], name), pillow(READABLE[name])
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < (2 if name == 'print.jpg' else 0.5)  # inks have no one meaning


def test_an_image_that_claims_too_many_pixels_is_damaged():
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)
    image = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(bytes(99)))
    with pytest.raises(
        DataError, match='x.png: .*states 60000 x 60000 pixels, which .* bytes of image data cannot hold'
    ):
        decode(image, 'x.png')


def test_errors():
    for data, message in (
        (b'', 'empty'),
        (b'hello', r"no JPEG, PNG, BMP, WebP, GIF, TIFF or AVIF \(it begins with b'hello'\)"),
        (b'BM123', 'damaged'),
    ):
        with pytest.raises(DataError, match=f'x.jpg: .*{message}'):
            decode(data, 'x.jpg')
    with pytest.raises(UsageError, match='got 0'):
        Preprocessing(0)
    with pytest.raises(UsageError, match=r'\(0, 1\], got 1.5'):
        Preprocessing(32, 1.5)


@pytest.mark.parametrize('resize', ['crop', 'stretch'])
@pytest.mark.parametrize(('height', 'width'), [(60, 100), (97, 41), (32, 32)])
def test_points_of_the_input_are_found_in_the_image(resize, height, width):
    preprocessing = Preprocessing(32, 0.9, resize=resize)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    seen = preprocessing.crop_map(np.stack([columns, rows, rows], -1))  # every pixel has its place as its color
    assert seen.shape == (32, 32, 3)
    places = np.array([[10, 12], [20, 5], [16, 16]])
    expected = np.array([seen[y, x, :2] for x, y in places]) + 0.5
    assert np.abs(preprocessing.to_image(places + 0.5, height, width) - expected).max() < 1e-3


LETTERBOXED = [
    ((60, 100), (19, 32)),
    ((97, 41), (32, 14)),
    ((32, 32), (32, 32)),
    ((9, 16), (18, 32)),
    ((1, 500), (1, 32)),
]


@pytest.mark.parametrize(('shape', 'resized'), LETTERBOXED)
def test_letterbox_keeps_the_aspect_ratio(shape, resized):
    """32 / 100 of 60 is 19.2, 32 / 97 of 41 is 13.5..., and so on; half of a pixel is rounded up."""
    preprocessing = Preprocessing(32, mean=(0.1, 0.5, 1.0), resize='letterbox')
    (height, width), (tall, wide) = shape, resized
    pixels = np.random.RandomState(0).randint(0, 256, (height, width, 3), np.uint8)
    expected = np.empty((32, 32, 3), np.uint8)
    expected[:] = (26, 128, 255)  # 25.5 and 127.5 rounded up
    expected[:tall, :wide] = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(preprocessing.crop(pixels), expected)
    mask = pixels[:, :, 0]
    assert not preprocessing.crop_map(mask)[tall:].any()
    assert not preprocessing.crop_map(mask)[:, wide:].any()
    corners = np.array([[0, 0], [wide, tall], [wide / 4, tall / 2], [32, 32]])
    found = preprocessing.to_image(corners, height, width)
    assert np.allclose(found[:3], [[0, 0], [width, height], [width / 4, height / 2]], rtol=1e-12)
    assert (found[3] >= found[1]).all()


def test_a_card_names_the_resize_where_it_is_another():
    assert 'resize' not in Preprocessing(32).as_dict()
    for resize in ('stretch', 'letterbox'):
        other = Preprocessing(32, resize=resize)
        assert Preprocessing.from_dict(other.as_dict()) == other
    with pytest.raises(UsageError, match="resize must be crop, stretch or letterbox, got 'squeeze'"):
        Preprocessing(32, resize='squeeze')

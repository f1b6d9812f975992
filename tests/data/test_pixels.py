"""Pixels that a caller hands over: anything but (H, W, 3) uint8 is refused in one line that says what to do."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing

IMAGE = np.random.RandomState(0).randint(1, 256, (20, 30, 3)).astype(np.uint8)
LISTED = IMAGE.tolist()


@pytest.mark.parametrize(
    ('pixels', 'parts'),
    [
        (IMAGE / 255, [r'\(20, 30, 3\) float64 with values 0.00\d+ to 1: scale to 0..255']),
        (IMAGE.astype(np.float16), ['float16 with values 1 to 255: convert the type']),
        ((IMAGE / 127.5 - 1).astype(np.float32), ['float32 with values -0.99.* to 1: undo the normalization']),
        (IMAGE.astype(np.int64), ['int64 with values 1 to 255: convert the type']),
        (IMAGE.astype(np.uint16) * 257, ['uint16 with values 257 to 65535: scale .*image >> 8']),
        (IMAGE > 9, ['bool with values 0 to 1: scale to']),
        (np.full((4, 4, 3), np.nan), ['with values nan to nan: ']),
        (IMAGE[:, :, 0], [r'\(20, 30\) uint8 .*: repeat the gray channel, numpy.stack']),
        (IMAGE[:, :, :1], [r'\(20, 30, 1\) .*: repeat the gray channel, image.repeat']),
        (np.zeros((4, 5, 4), np.uint8), [r'\(4, 5, 4\) .*: leave out the transparency']),
        (IMAGE.transpose(2, 0, 1), [r'\(3, 20, 30\) uint8 .*: put the channels last, image.transpose\(1, 2, 0\)']),
        (IMAGE.transpose(2, 0, 1) / 255, ['put the channels last, .*, then scale to']),
        (IMAGE[None], [r'\(1, 20, 30, 3\) .*: give one image at a time']),
        (IMAGE[:, :0], [r'\(20, 0, 3\) uint8: the array is empty']),
        (np.uint8(3), ['must be a NumPy array']),
        (np.array(['a', 'b']), ['<U1: give an array of three dimensions, then give whole numbers']),
        (LISTED, ['must be a NumPy array.*got list']),
        (mx.nd.array(IMAGE), [r'must be a NumPy array.*got NDArray: .*asnumpy\(\)']),
        (None, ['got NoneType']),
    ],
)
def test_other_values_are_refused(pixels, parts):
    for prepare in (Preprocessing(16), Preprocessing(16).crop, Preprocessing(16, resize='stretch')):
        with pytest.raises(UsageError) as caught:
            prepare(pixels)
        for part in parts:
            caught.match(part)
        assert '\n' not in str(caught.value)


def test_the_remedies_work():
    preprocessing = Preprocessing(16)
    expected = preprocessing(IMAGE)
    for pixels, remedy in (
        (IMAGE / 255, lambda image: (image * 255.0).round().astype('uint8')),
        (IMAGE.astype(np.uint16) * 257, lambda image: (image >> 8).astype('uint8')),
        (IMAGE.transpose(2, 0, 1), lambda image: image.transpose(1, 2, 0)),
        (np.dstack([IMAGE, IMAGE[:, :, 0]]), lambda image: image[:, :, :3]),
    ):
        with pytest.raises(UsageError):
            preprocessing(pixels)
        assert np.array_equal(preprocessing(remedy(pixels)), expected)


def test_the_size_of_an_image_has_a_limit():
    assert Preprocessing(4096).image_size == 4096
    for size in (4097, 20_000, 10**400):
        with pytest.raises(UsageError, match='image_size must be at most 4096 pixels, got '):
            Preprocessing(size)

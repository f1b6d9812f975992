"""Resizing: long and thin images need little memory, and have the pixels that resizing the whole gives."""

import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data import resizing
from gluon_cbam.data.loading.augmentation import AUGMENTATIONS, augment
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.resizing import Region, resize_and_crop, resize_short_side, short_side_shape

RANDOM = np.random.RandomState(0)


def test_a_region_equals_that_of_the_whole(monkeypatch):
    """Bit for bit, for images that become larger and for those that become smaller, in any place."""
    monkeypatch.setattr(resizing, '_LARGE', 0)
    monkeypatch.setattr(resizing, 'resize_to', None)
    for number in range(300):
        short, long = RANDOM.randint(1, 40), RANDOM.randint(40, 3000)
        size = int(RANDOM.randint(short + 1, 100)) if short < 39 else 60
        shape = (short, long) if number % 2 else (long, short)
        pixels = RANDOM.randint(0, 256, (*shape, 3)).astype(np.uint8)
        height, width = short_side_shape(*shape, size)
        whole = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        assert min(whole.shape[:2]) == size
        side = int(RANDOM.randint(1, 1 + min(height, width, 50)))
        for corner in (0.0, 0.5, 1.0, RANDOM.rand()):
            region = Region(int((height - side) * corner), int((width - side) * corner), side, side)
            if height * width > shape[0] * shape[1] + side**2:
                assert np.array_equal(resize_and_crop(pixels, (height, width), region), region.of(whole))


@pytest.mark.parametrize('shape', [(1, 6000), (9000, 2), (3, 20_000)])
def test_long_images_equal_resizing_the_whole(shape):
    """Here the whole fits into memory."""
    pixels = RANDOM.randint(0, 256, (*shape, 3)).astype(np.uint8)
    height, width = short_side_shape(*shape, 37)
    whole = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    region = Region((height - 32) // 2, (width - 32) // 2, 32, 32)
    assert np.array_equal(Preprocessing(32, 32 / 37).crop(pixels), region.of(whole))
    gray = Preprocessing(32, 32 / 37).crop_map(pixels[:, :, 0])
    assert np.array_equal(gray, region.of(whole)[:, :, 0])


def test_the_shift_equals_padding_the_whole():
    """As it was written before: resize, pad, crop."""
    for seed in range(20):
        pixels = RANDOM.randint(0, 256, (33, int(RANDOM.randint(33, 70)), 3)).astype(np.uint8)
        rng = np.random.default_rng(seed)
        padded = cv2.copyMakeBorder(resize_short_side(pixels, 40), 5, 5, 5, 5, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        top, left = (int(rng.random() * (length - 40 + 1)) for length in padded.shape[:2])
        ours = augment('shift', pixels, Preprocessing(40, 1.0), np.random.default_rng(seed))
        assert np.array_equal(ours, padded[top : top + 40, left : left + 40])


def test_a_strip_takes_little_memory():
    """A strip of 65,000 pixels: resized as a whole to 256 it has 4.3 billion, 12.8 GB."""
    program = (
        'import sys, resource\n'
        f'sys.path[:0] = {[str(__file__).rpartition("/")[0], *sys.path]!r}\n'
        'import test_resizing; test_resizing.strips()'
    )
    subprocess.run([sys.executable, '-c', program], check=True)


def strips():
    """Crops and augments strips; fails where that takes memory."""
    preprocessing = Preprocessing(224, 0.875)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape in ((1, 65_000), (65_000, 1)):
        pixels = RANDOM.randint(0, 256, (*shape, 3)).astype(np.uint8)
        assert preprocessing.crop(pixels).shape == (224, 224, 3)
        assert Preprocessing(224, 1e-6).crop(pixels).shape == (224, 224, 3)
        for name in AUGMENTATIONS:
            assert augment(name, pixels, preprocessing, np.random.default_rng(0)).shape == (224, 224, 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_a_result_that_is_too_large_is_refused():
    with pytest.raises(
        DataError, match=r'6000 x 1 pixels, resized to a short side of 256, has 1536000 x 256, the limit'
    ):
        resize_short_side(np.zeros((1, 6000, 3), np.uint8), 256)

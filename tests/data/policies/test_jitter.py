"""Color jitter and rotation, by their distributions, and hue compared with the definition of HSV."""

import colorsys
import math

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.stats import kstest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.policies import jitter
from gluon_cbam.data.loading.policies.affine import rotate
from gluon_cbam.data.loading.policies.jitter import ColorJitter, RandomRotation, turn_hue
from gluon_cbam.data.loading.preprocessing import Preprocessing

IMAGENET = Preprocessing(32)


def smooth(channels=3):
    small = np.random.default_rng(2).integers(0, 256, (5, 6, 3), np.uint8)
    return cv2.resize(small, (30, 20), interpolation=cv2.INTER_CUBIC)[..., :channels].copy()


@pytest.mark.parametrize('turn', [-0.5, -0.1, 0, 0.05, 0.25, 0.5])
def test_hue(turn):
    """To the rounding of HSV to 8 bits, which torchvision's images of Pillow have, too."""
    pixels = smooth()
    ours, exact = turn_hue(pixels, turn).astype(float), np.empty(pixels.shape)
    for place in np.ndindex(*pixels.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[place] / 255))
        exact[place] = np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)) * 255
    hsv = np.array(Image.fromarray(pixels).convert('HSV'))
    hsv[..., 0] += np.uint8(round(turn * 255) % 256)
    bands = [Image.fromarray(np.ascontiguousarray(hsv[..., band])) for band in range(3)]
    theirs = np.asarray(Image.merge('HSV', bands).convert('RGB')).astype(float)
    for image in (ours, theirs):
        assert np.abs(image - exact).max() < 9
        assert np.abs(image - exact).mean() < 0.9
    gray = pixels[..., :1]
    assert turn_hue(gray, turn) is gray


@pytest.fixture
def drawn(monkeypatch):
    """The adjustments of many images, in their order, with their values."""
    record = []
    for name in jitter._ADJUSTMENTS:
        monkeypatch.setitem(
            jitter._ADJUSTMENTS, name, lambda pixels, value, name=name: record.append((name, value)) or pixels
        )

    def draw(step, images):
        pixels, rng = smooth(), np.random.default_rng(0)
        for _ in range(images):
            step(pixels, IMAGENET, rng)
        return record

    return draw


def test_factors_are_uniform_and_the_order_is_random(drawn):
    record = drawn(ColorJitter(0.4, 0.3, 1, 0.1), 2000)
    assert len(record) == 4 * 2000
    for name, low, width in (
        ('brightness', 0.6, 0.8), ('contrast', 0.7, 0.6), ('saturation', 0, 2), ('hue', -0.1, 0.2),
    ):  # fmt: skip
        assert kstest([value for each, value in record if each == name], 'uniform', (low, width)).pvalue > 1e-3
    orders = [tuple(name for name, _ in record[first : first + 4]) for first in range(0, len(record), 4)]
    assert len(set(orders)) == 24
    assert min(map(orders.count, set(orders))) > 2000 / 24 - 4 * math.sqrt(2000 / 24)


def test_what_is_0_is_left_out(drawn):
    assert {name for name, _ in drawn(ColorJitter(0, 0.2, 0), 50)} == {'contrast'}


@pytest.mark.parametrize('channels', [1, 3])
def test_colors_change_and_the_image_that_is_given_does_not(channels):
    pixels = smooth(channels)
    before = pixels.copy()
    images = [ColorJitter(0.4, 0.4, 0.4, 0.1)(pixels, IMAGENET, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
    assert {(image.shape, image.dtype) for image in images} == {(pixels.shape, np.dtype(np.uint8))}
    assert np.array_equal(pixels, before)


def test_angles_are_uniform(monkeypatch):
    angles = []
    monkeypatch.setattr(jitter, 'rotate', lambda pixels, degrees, fill: angles.append(degrees) or pixels)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        RandomRotation(15)(smooth(), IMAGENET, rng)
    assert kstest(angles, 'uniform', (-15, 30)).pvalue > 1e-3


def test_corners_of_a_rotated_image_have_the_mean_color():
    rng = np.random.default_rng(0)
    found = RandomRotation(90)(smooth(), IMAGENET, rng)
    angle = 90 * (2 * np.random.default_rng(0).random() - 1)
    assert np.array_equal(found, rotate(smooth(), angle, np.array([124, 116, 104])))
    assert tuple(found[0, 0]) == (124, 116, 104)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: ColorJitter(0.4, 1.5, 0.4), 'contrast of the color jitter must be in 0..1, got 1.5'),
        (lambda: ColorJitter(0.4, 0.4, 0.4, 0.6), 'hue of the color jitter must be in 0..0.5, got 0.6'),
        (lambda: ColorJitter(math.nan, 0.4, 0.4), 'brightness of the color jitter must be in 0..1, got nan'),
        (lambda: RandomRotation(181), 'must be in 0..180 degrees, got 181'),
        (lambda: RandomRotation(math.nan), 'got nan'),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(UsageError, match=message):
        make()

"""Augmentation compared with its definition, and without randomness with MXNet's reader."""

import io
import math

import cv2
import mxnet as mx
import numpy as np
import pytest
from PIL import Image
from scipy.stats import kstest

from gluon_cbam.data.loading.augmentation import augment
from gluon_cbam.data.loading.framing import random_crop_box
from gluon_cbam.data.loading.preprocessing import Preprocessing

DRAWS = 2000


def rng(seed=0):
    return np.random.default_rng(seed)


def halves():
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = 255
    return pixels


def test_distribution_of_random_crops():
    """On a large square image, nearly every box fits: the area and the log of the aspect ratio are uniform."""
    random, size = rng(), 10_000
    parts = np.array([random_crop_box(size, size, random) for _ in range(DRAWS)])
    top, left, height, width = parts.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= size).all()
    assert (left + width <= size).all()
    area, aspect = height * width / size**2, width / height
    assert 0.079 < area.min() < 0.1
    assert area.max() > 0.95
    assert 0.749 < aspect.min() < 0.76
    assert 1.32 < aspect.max() < 1.334
    small = area < 0.7  # these always fit
    assert kstest(area[small], 'uniform', (0.08, 0.62)).pvalue > 1e-3
    logs = np.log(aspect[small]) / math.log(4 / 3)
    assert kstest(logs, 'uniform', (-1, 2)).pvalue > 1e-3
    for offset, length in ((top, height), (left, width)):
        assert kstest(offset[small] / (size - length[small]), 'uniform').pvalue > 1e-3


@pytest.mark.parametrize(('shape', 'part'), [((10, 1000), (10, 13)), ((1000, 10), (13, 10)), ((1, 1), (1, 1))])
def test_center_crop_if_no_box_fits(shape, part):
    top, left, height, width = random_crop_box(*shape, rng())
    assert (height, width) == part
    assert (top, left) == ((shape[0] - part[0]) // 2, (shape[1] - part[1]) // 2)


@pytest.mark.parametrize(
    ('name', 'expected'), [('none', 0), ('shift', 0), ('cifar', 0.5), ('face', 0.5), ('face_color_jpeg', 0.5)]
)
def test_flip(name, expected):
    random, preprocessing = rng(), Preprocessing(16, 1.0)
    images = [augment(name, halves(), preprocessing, random) for _ in range(400)]
    mirrored = np.mean([image[8, 11, 0] > image[8, 4, 0] for image in images])
    assert mirrored == pytest.approx(expected, abs=0.1 if expected else 0)


def test_imagenet_flips_half_of_the_images():
    """A gradient from left to right increases in every crop of it."""
    pixels = np.tile(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], (80, 1, 3))
    random, preprocessing = rng(), Preprocessing(16, 1.0)
    images = [augment('imagenet', pixels, preprocessing, random) for _ in range(400)]
    assert np.mean([image[8, 0, 0] > image[8, 15, 0] for image in images]) == pytest.approx(0.5, abs=0.1)


def test_shifts_are_uniform_up_to_an_eighth():
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[8, 8] = 255
    random, preprocessing = rng(), Preprocessing(16, 1.0)
    places = [np.argwhere(augment('shift', pixels, preprocessing, random)[..., 0])[0] for _ in range(DRAWS)]
    found, counts = np.unique(np.array(places), axis=0, return_counts=True)
    assert found.min() == 6
    assert found.max() == 10
    assert len(found) == 25
    assert counts.min() > 0.5 * DRAWS / 25


def test_none_equals_mxnet():
    """Resize and crop by MXNet's image functions, up to the rounding of two versions of OpenCV."""
    pixels = cv2.resize(rng().integers(0, 256, (6, 6, 3), np.uint8), (56, 40), interpolation=cv2.INTER_CUBIC)
    resized = mx.image.resize_short(mx.nd.array(pixels, dtype='uint8'), 37, interp=1)
    theirs = mx.image.center_crop(resized, (32, 32))[0].asnumpy().astype(int)
    ours = augment('none', pixels, Preprocessing(32, 32 / 37), rng())
    assert ours.dtype == np.uint8
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize('seed', range(5))
def test_colors_equal_gluoncv(seed):
    """The affine map equals the four steps of GluonCV's transforms without clipping."""
    pixels = rng(seed).integers(90, 140, (16, 16, 3), np.uint8)
    preprocessing = Preprocessing(16, 1.0)
    random = rng(seed)
    geometry = augment('imagenet', pixels, preprocessing, random).astype(float)
    brightness, contrast, saturation = (0.6 + 0.8 * random.random() for _ in range(3))
    weights = random.normal(0, 0.1, 3)
    luma = np.array([0.299, 0.587, 0.114])
    expected = brightness * geometry
    expected = contrast * expected + (1 - contrast) * (expected @ luma).mean()
    expected = saturation * expected + (1 - saturation) * (expected @ luma)[..., None]
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    expected += vectors @ (weights * [55.46, 4.794, 1.148])
    ours = augment('imagenet_color', pixels, preprocessing, rng(seed))
    assert np.abs(ours - np.clip(expected, 0, 255)).max() <= 1  # of 255: OpenCV computes in fixed point


def mxnet_jitter(kind, factor, pixels):
    """Brightness, contrast or saturation as mx.image's augmenters, with their random number given."""
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    added = {'brightness': 0, 'contrast': luma.mean(), 'saturation': luma[..., None]}[kind]
    return factor * pixels + (1 - factor) * added


@pytest.mark.parametrize('seed', range(8))
def test_colors_of_faces_are_those_of_mxnet_in_any_order(seed):
    pixels = rng(seed).integers(80, 150, (16, 16, 3), np.uint8)
    random = rng(seed)
    expected = (pixels[:, ::-1] if random.random() < 0.5 else pixels).astype(float)
    for kind in random.permutation(3):
        expected = mxnet_jitter(('brightness', 'contrast', 'saturation')[kind], 0.875 + random.random() / 4, expected)
    ours = augment('face_color', pixels, Preprocessing(16, 1.0), rng(seed))
    assert np.abs(ours - expected).max() <= 1


def test_the_formula_of_the_color_test_is_mxnets(monkeypatch):
    from mxnet.image import image

    pixels = rng().integers(0, 256, (8, 8, 3)).astype(np.float32)
    rows = {
        'brightness': mx.image.BrightnessJitterAug, 'contrast': mx.image.ContrastJitterAug,
        'saturation': mx.image.SaturationJitterAug,
    }  # fmt: skip
    monkeypatch.setattr(image.random, 'uniform', lambda low, high: low + 0.8 * (high - low))
    for kind, augmenter in rows.items():
        theirs = augmenter(0.125)(mx.nd.array(pixels)).asnumpy()
        assert np.abs(theirs - mxnet_jitter(kind, 1 + 0.125 * 0.6, pixels)).max() < 1e-2


def test_half_of_the_faces_have_the_artifacts_of_jpeg_at_quality_2_to_20(monkeypatch):
    pixels = cv2.resize(rng().integers(0, 256, (8, 8, 3), np.uint8), (32, 32), interpolation=cv2.INTER_CUBIC)
    monkeypatch.setattr('gluon_cbam.data.loading.augmentation._FACE_JITTER', 0)
    references = {}
    for turned in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
        references.setdefault(0, []).append(turned)
        for quality in range(2, 21):
            file = io.BytesIO()
            Image.fromarray(turned).save(file, 'JPEG', quality=quality)
            references.setdefault(quality, []).append(np.asarray(Image.open(file)))
    random, found = rng(), []
    for _ in range(400):
        image = augment('face_color_jpeg', pixels, Preprocessing(32, 1.0), random).astype(int)
        differences = {
            quality: min(np.abs(image - each).mean() for each in both) for quality, both in references.items()
        }
        found.append(min(differences, key=differences.get))
        assert differences[found[-1]] < 1.5
    counts = np.bincount(found, minlength=21)
    assert counts[0] == pytest.approx(200, abs=40)
    different = {references[quality][0].tobytes() for quality in range(2, 21)}  # some have the same tables
    assert (counts[2:] > 0).sum() >= len(different) - 1 >= 15

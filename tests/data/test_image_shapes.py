"""Images that are not square: resizing, augmentation and views compared with their definitions."""

import math
from fractions import Fraction

import cv2
import numpy as np
import pytest

from gluon_cbam.data.loading.augmentation import AUGMENTATIONS, augment
from gluon_cbam.data.loading.framing import random_crop_box
from gluon_cbam.data.loading.policies.erasing import Cutout, RandomErasing
from gluon_cbam.data.loading.policies.jitter import RandomRotation
from gluon_cbam.data.loading.policies.naming import policy
from gluon_cbam.data.loading.preprocessing import RESIZES, Preprocessing
from gluon_cbam.data.loading.views import check_views, views_of
from gluon_cbam.data.resizing import cover_shape, letterbox_shape, short_side_shape
from gluon_cbam.tasks.classification.mixup import MixSampler

SIZES = [(32, 64), (64, 32), (48, 20)]
SHAPES = [(90, 130), (130, 90), (40, 200), (64, 64), (33, 65)]
FURTHER = [
    RandomRotation(30), RandomErasing(1.0, 'pixel', 2), Cutout(16), policy('trivialaugment'),
    policy('rand-m9-mstd0.5-inc1'),
]  # fmt: skip


def picture(shape, seed=0):
    """A smooth picture, of which a pixel more or less is seen."""
    small = np.random.RandomState(seed).randint(0, 256, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def resized(pixels, shape):
    return cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_LINEAR)


def covering(shape, size):
    """The shape after one factor for both sides, the smallest with which the picture covers a size."""
    factor = max(Fraction(least, length) for least, length in zip(size, shape))
    return tuple(math.floor(length * factor) for length in shape)


def by_hand(pixels, size, resize, ratio, ground):
    """The definition of a resize, with exact fractions."""
    if resize == 'stretch':
        return resized(pixels, size)
    if resize == 'letterbox':
        factor = min(Fraction(most, length) for most, length in zip(size, pixels.shape))
        shape = tuple(math.floor(length * factor + Fraction(1, 2)) for length in pixels.shape[:2])
        whole = np.full((*size, 3), ground, np.uint8)
        whole[: shape[0], : shape[1]] = resized(pixels, shape)
        return whole
    whole = resized(pixels, covering(pixels.shape[:2], [round(side / ratio) for side in size]))
    top, left = ((length - side) // 2 for length, side in zip(whole.shape, size))
    return whole[top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize('resize', RESIZES)
@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('size', SIZES)
def test_a_resize_is_what_its_definition_says(size, shape, resize):
    preprocessing, pixels = Preprocessing(size, 0.8, resize=resize), picture(shape)
    seen = preprocessing.crop(pixels)
    assert seen.shape == (*size, 3)
    assert np.array_equal(seen, by_hand(pixels, size, resize, 0.8, preprocessing.ground))
    assert preprocessing(pixels).shape == (3, *size)
    assert np.array_equal(preprocessing.crop_map(pixels[..., 0]).shape, size)


@pytest.mark.parametrize('resize', RESIZES)
@pytest.mark.parametrize('shape', SHAPES)
def test_a_transposed_picture_is_resized_alike(shape, resize):
    """Up to the rounding of OpenCV, which resizes rows before columns."""
    pixels = picture(shape)
    seen = Preprocessing((32, 64), 0.8, resize=resize).crop(pixels)
    other = Preprocessing((64, 32), 0.8, resize=resize).crop(np.ascontiguousarray(pixels.transpose(1, 0, 2)))
    assert np.abs(seen.astype(int) - other.transpose(1, 0, 2)).max() <= 1


@pytest.mark.parametrize('resize', RESIZES)
def test_places_of_the_input_are_found_in_the_picture(resize):
    """Red and blue are the coordinates of each pixel."""
    pixels = np.zeros((100, 160, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = np.arange(160), np.arange(100)[:, None]
    preprocessing = Preprocessing((32, 64), 0.8, resize=resize)
    seen = preprocessing.crop(pixels)
    for row, column in [(5, 9), (16, 32), (30, 40)]:
        x, y = preprocessing.to_image(np.array([column + 0.5, row + 0.5]), 100, 160)
        assert np.abs(seen[row, column, ::2] - (x - 0.5, y - 0.5)).max() <= 1


def test_squares_are_as_before():
    """The short side and the long side, as they were before other sizes."""
    assert Preprocessing((24, 24)) == Preprocessing(24) and Preprocessing((24, 24)).as_dict()['image_size'] == 24
    for height, width in np.random.RandomState(0).randint(1, 90, (500, 2)).tolist():
        assert cover_shape(height, width, 24, 24) == short_side_shape(height, width, 24)
        longer = max(height, width)
        sides = [max(1, (2 * length * 24 + longer) // (2 * longer)) for length in (height, width)]
        assert letterbox_shape(height, width, 24, 24) == tuple(sides)


def test_the_size_is_saved_as_a_list():
    preprocessing = Preprocessing((32, 64), resize='stretch')
    assert preprocessing.as_dict()['image_size'] == [32, 64]
    assert Preprocessing.from_dict(preprocessing.as_dict()) == preprocessing
    assert (preprocessing.shape, preprocessing.image_size) == ((32, 64), (32, 64))


@pytest.mark.parametrize('size', SIZES)
def test_the_shift_pads_each_side_by_an_eighth_of_it(size):
    for seed, shape in enumerate(SHAPES * 3):
        pixels, rng = picture(shape, seed), np.random.default_rng(seed)
        tall, wide = (side // 8 for side in size)
        whole = resized(pixels, covering(shape, size))
        padded = cv2.copyMakeBorder(whole, tall, tall, wide, wide, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        top, left = (int(rng.random() * (length - side + 1)) for length, side in zip(padded.shape, size))
        ours = augment('shift', pixels, Preprocessing(size, 1.0), np.random.default_rng(seed))
        assert np.array_equal(ours, padded[top : top + size[0], left : left + size[1]])


@pytest.mark.parametrize('size', SIZES)
def test_the_random_resized_crop_is_that_of_torchvision(size):
    """The box has the aspect ratio of the picture's pixels, whatever the result has."""
    for seed, shape in enumerate(SHAPES):
        pixels, rng = picture(shape), np.random.default_rng(seed)
        top, left, height, width = random_crop_box(*shape, rng)
        expected = resized(pixels[top : top + height, left : left + width], size)
        expected = expected[:, ::-1] if rng.random() < 0.5 else expected
        assert np.array_equal(augment('imagenet', pixels, Preprocessing(size), np.random.default_rng(seed)), expected)


@pytest.mark.parametrize('name', sorted(AUGMENTATIONS))
def test_every_augmentation_has_the_size(name):
    for size in SIZES:
        for number, shape in enumerate(SHAPES):
            rng = np.random.default_rng(number)
            ours = augment(name, picture(shape), Preprocessing(size), rng, FURTHER)
            assert (ours.shape, ours.dtype) == ((*size, 3), np.uint8)


def test_corners_of_views():
    pixels, preprocessing = picture((90, 130)), Preprocessing((32, 64), 0.8)
    whole = resized(pixels, covering((90, 130), (40, 80)))
    height, width = whole.shape[:2]
    corners = [(0, 0), (0, width - 64), (height - 32, 0), (height - 32, width - 64)]
    views = views_of(['five'])
    check_views(views, preprocessing)
    for view, (top, left) in zip(views[1:], corners):
        assert np.array_equal(view.of(preprocessing, pixels), whole[top : top + 32, left : left + 64])


def test_boxes_of_cutmix_have_the_aspect_ratio_of_the_image():
    draw, inside = MixSampler(0, 1, (40, 80), seed=3), 0
    for step in range(400):
        share, (top, bottom, left, right) = draw(step)
        assert 0 <= top <= bottom <= 40 and 0 <= left <= right <= 80
        assert share == 1 - (bottom - top) * (right - left) / (40 * 80)
        if min(top, left) > 0 and bottom < 40 and right < 80:
            inside += 1
            assert abs(2 * (bottom - top) - (right - left)) <= 2
    assert inside > 20


def test_cutmix_of_squares_is_as_before():
    """The formula that it had for squares."""
    draw = MixSampler(0, 1, 32, seed=3)
    for step in range(50):
        random = np.random.default_rng(np.random.SeedSequence([0x6D6978, 3, 0, step, 0]))
        random.integers(1)
        half = int(32 * np.sqrt(1 - float(random.beta(1, 1)))) // 2
        row, column = random.integers(32, size=2)
        edges = tuple(int(np.clip(middle + side, 0, 32)) for middle in (row, column) for side in (-half, half))
        assert draw(step).box == edges

"""Random erasing and Cutout, by the distributions of what they hide."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kstest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.policies.erasing import ERASING_MODES, Cutout, RandomErasing
from gluon_cbam.data.loading.preprocessing import Preprocessing

DRAWS = 1500
SHAPE = (400, 600)
DARK = Preprocessing(32, mean=(0, 0, 0))
IMAGENET = Preprocessing(32)


def hidden(steps, pixels, preprocessing=DARK, draws=DRAWS):
    """Top, left, height and width of what is 0 in each of many results, which are 255 elsewhere; None for nothing."""
    rng = np.random.default_rng(0)
    for _ in range(draws):
        dark = steps(pixels, preprocessing, rng)[..., 0] == 0
        rows, columns = (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            assert dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        yield (rows[0], columns[0], len(rows), len(columns)) if len(rows) else None


def test_boxes_are_those_of_the_paper():
    """Of a large image: area 2 to 33 %, aspect ratio 0.3 to 1 / 0.3, any place, in a share of the images."""
    found = list(hidden(RandomErasing(0.5), np.full((*SHAPE, 1), 255, np.uint8)))
    boxes = np.array([box for box in found if box is not None])
    assert len(boxes) == pytest.approx(DRAWS / 2, abs=4 * math.sqrt(DRAWS / 4))
    top, left, height, width = boxes.T
    area, aspect = height * width / (SHAPE[0] * SHAPE[1]), height / width
    assert 0.0199 < area.min() < 0.03
    assert 0.32 < area.max() < 0.334
    assert 0.295 < aspect.min() < 0.32
    assert 3.1 < aspect.max() < 3.39
    small = area < 0.18  # these always fit
    assert kstest(area[small], 'uniform', (0.02, 0.16)).pvalue > 1e-3
    assert kstest(np.log(aspect[small]) / math.log(1 / 0.3), 'uniform', (-1, 2)).pvalue > 1e-3
    for offset, free in ((top, SHAPE[0] - height), (left, SHAPE[1] - width)):
        assert kstest(offset[small] / free[small], 'uniform').pvalue > 1e-3


def test_boxes_of_an_image_share_the_area():
    pixels, rng = np.full((200, 100, 3), 255, np.uint8), np.random.default_rng(0)
    step = RandomErasing(1, count=4)
    shares = [(step(pixels, DARK, rng) == 0).mean() for _ in range(300)]
    assert max(shares) < 1 / 3
    assert np.mean(shares) == pytest.approx((0.02 + 1 / 3) / 2, abs=0.02)  # less where boxes overlap


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('mode', ERASING_MODES)
def test_colors_are_standard_normal_after_normalization(mode, channels):
    """Of a mean and a standard deviation that leave nearly all of the numbers within 0..255."""
    preprocessing = Preprocessing(32, mean=(0.5, 0.4, 0.6), std=(0.1, 0.12, 0.08))
    pixels, rng = np.full((60, 40, channels), 255, np.uint8), np.random.default_rng(0)
    mean, std = (np.array(part)[:channels] for part in (preprocessing.mean, preprocessing.std))
    numbers = []
    for _ in range(600):
        result = RandomErasing(1, mode)(pixels, preprocessing, rng)
        assert (result.shape, result.dtype) == (pixels.shape, np.uint8)
        erased = result[(result != 255).any(axis=2)]
        numbers.append((erased / 255 - mean) / std if mode == 'pixel' else (erased[:1] / 255 - mean) / std)
        assert mode == 'pixel' or (erased == erased[0]).all()
    numbers = np.concatenate(numbers)
    assert np.abs(numbers.mean(axis=0)).max() < 0.15
    assert np.abs(numbers.std(axis=0) - (0 if mode == 'const' else 1)).max() < 0.1
    assert (pixels == 255).all(), 'the image that is given is not changed'


@pytest.mark.parametrize('mode', ['rand', 'pixel'])
def test_colors_are_gray_for_networks_of_one_channel(mode):
    """Images become gray after the augmentation: independent channels would lose a third of the deviation."""
    preprocessing = SimpleNamespace(mean=(0.5,), std=(0.1,), ground=(128, 128, 128))
    result = RandomErasing(1, mode)(np.zeros((60, 40, 3), np.uint8), preprocessing, np.random.default_rng(0))
    assert (result == result[..., :1]).all()
    assert result.any()


def test_a_box_that_does_not_fit_is_left_out():
    for shape in ((1, 1, 3), (1, 500, 3), (500, 1, 1)):
        pixels = np.full(shape, 200, np.uint8)
        assert np.array_equal(RandomErasing(1)(pixels, IMAGENET, np.random.default_rng(0)), pixels)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ((1.5,), 'reprob, must be in 0..1, got 1.5'),
        ((-0.1,), 'got -0.1'),
        ((math.nan,), 'got nan'),
        ((0.5, 'pixels'), "unknown mode of random erasing 'pixels': did you mean pixel"),
        ((0.5, 'pixel', 0), 'recount, must be in 1..100, got 0'),
        ((0.5, 'pixel', 10**9), 'recount, must be in 1..100, got 1000000000'),
    ],
)
def test_bad_values_of_random_erasing(given, message):
    with pytest.raises(UsageError, match=message):
        RandomErasing(*given)


def test_cutout_has_the_mean_color():
    pixels = np.full((40, 80, 3), 255, np.uint8)
    result = Cutout(10)(pixels, IMAGENET, np.random.default_rng(1))
    erased = result[(result != 255).any(axis=2)]
    assert set(map(tuple, erased.tolist())) == {(124, 116, 104)}
    assert len(erased) <= 100
    assert (Cutout(10)(pixels[..., :1], IMAGENET, np.random.default_rng(1)) == result[..., :1]).all()


@pytest.mark.parametrize(('length', 'half'), [(6, 3), (7, 3)])
def test_cutout_is_around_any_pixel_and_clipped(length, half):
    """In half of the images with the probability of insightface's ``cutoff``, whose squares are gray."""
    pixels, rng = np.zeros((16, 24, 3), np.uint8), np.random.default_rng(0)
    images = [Cutout(length, 0.5, 128)(pixels, DARK, rng) for _ in range(2500)]
    cut = [image for image in images if image.any()]
    assert len(cut) == pytest.approx(1250, abs=100)
    squares = {}
    for row in range(16):
        for column in range(24):
            square = np.zeros((16, 24), bool)
            square[max(0, row - half) : row + half, max(0, column - half) : column + half] = True
            squares[square.tobytes()] = square.sum()
    seen = {(image[..., 0] == 128).tobytes() for image in cut}
    assert all(set(np.unique(image)) == {0, 128} for image in cut)
    assert seen <= set(squares)
    assert len(seen) > 0.9 * len(squares)
    assert not pixels.any(), 'the picture itself stays'


def test_bad_sides_of_cutout():
    with pytest.raises(UsageError, match='at least 0 pixels, got -1'):
        Cutout(-1)

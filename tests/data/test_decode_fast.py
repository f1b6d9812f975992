"""Training on JPEGs that are decoded in a smaller size: the same part of the image as with all of its pixels."""

import cv2
import numpy as np
import pytest

from gluon_cbam.benchmarks.textures import write_records
from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.decoding import EncodedImage
from gluon_cbam.data.loading.augmentation import AUGMENTATIONS, augment
from gluon_cbam.data.loading.epochs import Example
from gluon_cbam.data.loading.framing import Crop, random_crop_box
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import TrainingData

SHAPE = (375, 500)
GEOMETRIES = ('imagenet', 'cifar', 'none')


def source(pixels, quality=95):
    image = cv2.imencode('.jpg', pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return Example(0, EncodedImage(image, 'x'))


def smooth():
    noise = np.random.default_rng(0).normal(0, 1, (*SHAPE, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), 3)
    return (noise / noise.std() * 40 + 128).clip(0, 255).astype(np.uint8)


def mean_place(size, seed, axis):
    """The mean place that a crop of random ``seed`` shows along an axis, of all but its border, in pixels.

    Of an image that becomes brighter along the axis, and of its negative: an error of all levels cancels out.
    """
    length = SHAPE[axis]
    bright = np.broadcast_to(np.expand_dims(np.linspace(20, 235, length), 1 - axis), SHAPE).round().astype(np.uint8)
    shown = []
    for pixels in (bright, 255 - bright):
        rng = np.random.default_rng(seed)
        crop = augment('imagenet', source(np.stack([pixels] * 3, -1)), Preprocessing(size), rng, decode='fast')
        shown.append(crop[1:-1, 1:-1].mean())
    return ((shown[0] - shown[1]) / 2 + 127.5 - 20) / 215 * (length - 1)


@pytest.mark.parametrize('size', [20, 45, 64, 100])
def test_random_crops_show_the_same_place_within_a_pixel(size):
    scales = set()
    for seed in range(25):
        top, left, height, width = random_crop_box(*SHAPE, np.random.default_rng(seed))
        assert mean_place(size, seed, 0) == pytest.approx(top + height / 2 - 0.5, abs=0.8)
        assert mean_place(size, seed, 1) == pytest.approx(left + width / 2 - 0.5, abs=0.8)
        place = Crop.random(SHAPE, Preprocessing(size), np.random.default_rng(seed)).place
        reduced = source(smooth()).reduced(place.bottom - place.top, place.right - place.left, SHAPE[0])
        scales.add(reduced and reduced.scale * 8)
    assert len(scales) >= 2, scales


@pytest.mark.parametrize('name', GEOMETRIES)
@pytest.mark.parametrize('resize', ['crop', 'stretch', 'letterbox'])
def test_pixels_are_close_to_exact_ones(name, resize):
    """And further from them where they are moved by a pixel of the result."""
    example, preprocessing = source(smooth()), Preprocessing((64, 96), resize=resize)
    whole = example.pixels()
    for seed in range(5):
        exact = augment(name, example, preprocessing, np.random.default_rng(seed))
        fast = augment(name, example, preprocessing, np.random.default_rng(seed), decode='fast')
        assert fast.shape == exact.shape
        assert np.array_equal(exact, augment(name, whole, preprocessing, np.random.default_rng(seed)))
        difference = np.abs(fast.astype(int) - exact)
        assert 0 < difference.mean() < 8, 'of a standard deviation of 40 in each channel'
        moved = [np.abs(np.roll(fast, step, axis).astype(int) - exact) for axis in (0, 1) for step in (-1, 1)]
        inner = (slice(4, -4), slice(4, -4))
        assert difference[inner].mean() < 0.5 * min(each[inner].mean() for each in moved)


def test_crops_are_close_to_averages_of_areas():
    example = source(smooth())
    whole = example.pixels()
    for seed in range(10):
        top, left, height, width = random_crop_box(*SHAPE, np.random.default_rng(seed))
        area = cv2.resize(whole[top : top + height, left : left + width], (48, 48), interpolation=cv2.INTER_AREA)
        fast = augment('imagenet', example, Preprocessing(48), np.random.default_rng(seed), decode='fast')
        differences = [np.abs(each.astype(int) - area).mean() for each in (fast, fast[:, ::-1])]
        assert min(differences) < 6


@pytest.mark.parametrize('name', sorted(AUGMENTATIONS))
def test_black_around_a_shifted_image_has_sharp_edges(name):
    example = source(np.full((*SHAPE, 3), 200, np.uint8))
    for seed in range(5):
        exact, fast = (
            augment(name, example, Preprocessing(32), np.random.default_rng(seed), decode=decode)
            for decode in ('exact', 'fast')
        )
        assert np.abs(fast.astype(int) - exact).max() <= 4


def test_loader(tmp_path):
    """Other pixels, the same order; the same on any number of threads, and small images as they are."""
    records = write_records(tmp_path / 'x.rec', 12, size=(120, 160))

    def images(size, decode, workers=2):
        data = TrainingData(records, 4, Preprocessing(size), 'imagenet', 0, workers, decode=decode)
        return np.concatenate([batch.images.asnumpy() for batch in data.epoch(0)])

    exact, fast = images(24, 'exact'), images(24, 'fast')
    assert 0 < np.abs(exact.astype(int) - fast).mean() < 40
    assert np.array_equal(fast, images(24, 'fast', 1))
    small = write_records(tmp_path / 'small.rec', 12, size=(64, 64))
    records = small
    assert np.array_equal(images(8, 'exact'), images(8, 'fast'))
    with pytest.raises(UsageError, match="unknown way to decode 'fats': did you mean fast"):
        TrainingData(records, 4, Preprocessing(8), 'imagenet', 0, 1, decode='fats')

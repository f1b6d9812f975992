"""Pictures and masks move together, the same on any number of threads, and what is beside a picture is ignored."""

import cv2
import numpy as np
import pytest
from mask_scenes import scene, write_masks

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.data.loading.mask_augmentation import MASK_AUGMENTATIONS, MaskedImage, fit_mask
from gluon_cbam.data.loading.mask_training import MaskData
from gluon_cbam.data.loading.preprocessing import Preprocessing

GRAYS = np.array([[60] * 3, [120] * 3, [180] * 3, [240] * 3], np.uint8)


def painted(height, width, seed=0):
    """A picture whose gray value tells its mask, in blocks that survive resizing."""
    blocks = np.random.RandomState(seed).randint(0, 4, (4, 5)).astype(np.uint8)
    mask = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    return MaskedImage(GRAYS[mask], mask)


def away_from_borders(mask):
    """Pixels whose neighbors have the same value."""
    low, high = (function(mask, np.ones((5, 5))) for function in (cv2.erode, cv2.dilate))
    return low == high


@pytest.mark.parametrize('name', sorted(MASK_AUGMENTATIONS))
@pytest.mark.parametrize('resize', ['letterbox', 'stretch'])
@pytest.mark.parametrize('size', [64, (48, 80)], ids=['square', 'wide'])
def test_masks_follow_their_pictures(name, resize, size):
    preprocessing = Preprocessing(size, resize=resize)
    for seed in range(12):
        image = painted(90, 130, seed)
        found = MASK_AUGMENTATIONS[name](image, preprocessing, 70, np.random.default_rng(seed))
        assert found.pixels.shape == (*preprocessing.shape, 3) and found.mask.shape == preprocessing.shape
        assert set(np.unique(found.mask)) <= {0, 1, 2, 3, 255}
        inside = away_from_borders(found.mask) & (found.mask != 255)
        if name != 'segmentation_color':
            difference = np.abs(found.pixels[..., 0].astype(int) - GRAYS[np.where(inside, found.mask, 0)][..., 0])
            assert difference[inside].max() <= 12
        ignored = away_from_borders(found.mask) & (found.mask == 255)
        if ignored.any() and name != 'segmentation_color':
            assert np.abs(found.pixels[ignored].astype(int) - preprocessing.ground).max() <= 2


def test_scales_and_crops_differ():
    random, preprocessing = np.random.default_rng(0), Preprocessing(64, resize='letterbox')
    found = [MASK_AUGMENTATIONS['segmentation'](painted(60, 80), preprocessing, 70, random) for _ in range(40)]
    ignored = [(each.mask == 255).mean() for each in found]
    assert min(ignored) == 0 and 0.2 < max(ignored) < 0.8, 'small scales leave a part free'
    assert len({each.mask.tobytes() for each in found}) == 40


@pytest.mark.parametrize('resize', ['letterbox', 'stretch', 'crop'])
@pytest.mark.parametrize('size', [32, (24, 40), (40, 24)])
def test_fitted_masks_are_the_nearest_pixels(resize, size):
    preprocessing, image = Preprocessing(size, resize=resize), painted(45, 70)
    found = fit_mask(image.mask, preprocessing)
    for row, column in np.ndindex(*preprocessing.shape):
        x, y = preprocessing.to_image(np.array([column + 0.5, row + 0.5]), 45, 70)
        inside = 0 <= x < 70 and 0 <= y < 45
        assert found[row, column] == (image.mask[int(y), int(x)] if inside else 255)


def test_batches_are_the_same_on_any_number_of_threads(tmp_path):
    write_masks(tmp_path / 'train.rec', [scene(number, 40, 50) for number in range(10)])
    records = MaskRecords(tmp_path / 'train.rec')
    epochs = []
    for workers in (1, 3):
        data = MaskData(records, 4, Preprocessing(32, resize='letterbox'), 'segmentation', 7, workers, base_size=40)
        epochs.append([[array.asnumpy() for array in batch] for batch in data.epoch(2)])
    assert len(epochs[0]) == 2 and epochs[0][0][0].shape == (4, 32, 32, 3) and epochs[0][0][1].shape == (4, 32, 32)
    for first, second in zip(*epochs):
        assert all(np.array_equal(*arrays) for arrays in zip(first, second))
    resumed = [[array.asnumpy() for array in batch] for batch in data.epoch(2, skip=1)]
    assert all(np.array_equal(*arrays) for arrays in zip(resumed[0], epochs[0][1]))
    with pytest.raises(UsageError, match="unknown augmentation 'ssd' of pictures with masks"):
        MaskData(records, 4, Preprocessing(32), 'ssd', 0, 1)

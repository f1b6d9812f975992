"""The shapes fill their masks, are reproducible and balanced, and cannot be distinguished by their colors."""

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.datasets.masks import MaskFile
from gluon_cbam.data.datasets.scenes import CLASSES, DISTRACTORS, draw_scene
from gluon_cbam.data.datasets.shapes import write_shapes
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

FILES = ('train.rec', 'train.idx', 'train.masks.npz', 'val.rec', 'val.idx', 'val.masks.npz', 'classes.txt')


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('shapes')
    assert write_shapes(folder, size=48, train=20, val=17, seed=3) == {'train.rec': 20, 'val.rec': 17}
    return folder


def scenes(count, size=48, seed=0):
    """(label, scene) of every class in turn."""
    names = list(CLASSES)
    for number in range(count):
        yield number % 8, draw_scene(names[number % 8], size, np.random.RandomState([seed, number]))


def test_reproducible(shapes, tmp_path):
    write_shapes(tmp_path / 'again', size=48, train=20, val=17, seed=3)
    write_shapes(tmp_path / 'other', size=48, train=20, val=17, seed=4)
    write_shapes(tmp_path / 'more', size=48, train=30, val=17, seed=3)
    for name in FILES:
        assert (tmp_path / 'again' / name).read_bytes() == (shapes / name).read_bytes(), name
    assert (tmp_path / 'other' / 'val.rec').read_bytes() != (shapes / 'val.rec').read_bytes()
    assert (tmp_path / 'more' / 'val.rec').read_bytes() == (shapes / 'val.rec').read_bytes()
    first, _, longer = (RecordFile(tmp_path / folder / 'train.rec') for folder in ('again', 'other', 'more'))
    assert all(first[number].image == longer[number].image for number in range(20))


def test_files(shapes):
    assert (shapes / 'classes.txt').read_text().split() == list(CLASSES)
    seen = set()
    for name, count in (('train.rec', 20), ('val.rec', 17)):
        records = RecordFile(shapes / name)
        masks = MaskFile(records)
        assert len(masks) == len(records) == count
        labels = np.bincount(records.labels.astype(int), minlength=8)
        assert labels.max() - labels.min() <= 1, 'every class has its share'
        for number in range(count):
            pixels, mask = decode_record(records, number), masks[number]
            assert pixels.shape == (48, 48, 3)
            assert mask.shape == (48, 48)
            assert 0.01 < mask.mean() < 0.25
            seen.add(pixels.tobytes())
    assert len(seen) == 37, 'all images differ, between the files too'


def test_masks_are_where_the_object_was_drawn():
    for _, scene in scenes(64):
        changed = np.abs(scene.image.astype(int) - scene.behind).sum(axis=2)
        assert (changed[scene.mask] > 10).mean() > 0.97, 'the object is visible against the pixels below it'
        # an edge, or a tip less than half a pixel wide
        outside = cv2.dilate(scene.mask.astype(np.uint8), np.ones((5, 5))) == 0
        assert not changed[outside].any(), 'nothing else was drawn'
        assert (changed[~scene.mask] > 0).sum() < 12 * np.sqrt(scene.mask.sum()), 'but for the edge'


def test_record_contains_its_scene(shapes):
    records = RecordFile(shapes / 'val.rec')
    scene = draw_scene('star', 48, np.random.RandomState([3, 1, 13]))
    assert records.labels[13] == list(CLASSES).index('star')
    assert np.array_equal(decode_record(records, 13), scene.image)
    assert np.array_equal(MaskFile(records)[13], scene.mask)


def test_outlines_are_in_the_unit_disc_and_differ():
    grid = np.linspace(-1.2, 1.2, 121)
    x, y = np.meshgrid(grid, grid)
    drawn = [outline(x, y) for outline in (*CLASSES.values(), *DISTRACTORS.values())]
    for inside in drawn:
        assert np.hypot(x, y)[inside].max() <= 1
        assert inside.mean() > 0.05
    for number, inside in enumerate(drawn[:8]):
        turned = [cv2.warpAffine(inside.astype(np.uint8), cv2.getRotationMatrix2D((60, 60), angle, 1), (121, 121)) > 0
                  for angle in range(0, 360, 10)]  # fmt: skip
        for other in drawn[:number] + drawn[number + 1 :]:
            overlap = max((one & other).sum() / (one | other).sum() for one in turned)
            assert overlap < 0.9, 'no class is another one, turned'


def test_places_and_sizes_vary():
    masks = np.stack([scene.mask for _, scene in scenes(96)])
    places = np.array([np.argwhere(mask).mean(axis=0) for mask in masks])
    assert places.min() < 12
    assert places.max() > 36
    areas = masks.mean(axis=(1, 2))
    assert areas.max() > 3 * areas.min()
    assert masks.mean(axis=0).max() < 0.5, 'no pixel is most objects'


def test_colors_do_not_predict_the_class():
    """A linear classifier on histograms of the whole image, and of the object alone, is near chance (1 in 8)."""
    from sklearn.linear_model import RidgeClassifier

    labels, images, objects = [], [], []
    for label, scene in scenes(480, size=32):
        labels.append(label)
        images.append(histogram(scene.image.reshape(-1, 3)))
        objects.append(histogram(scene.image[scene.mask]))
    labels = np.array(labels)
    for features in (np.array(images), np.array(objects)):
        right = RidgeClassifier(alpha=1).fit(features[:240], labels[:240]).score(features[240:], labels[240:])
        assert right < 0.125 + 0.085, 'four standard deviations of 240 guesses above chance'


def histogram(pixels):
    """Shares of 64 colors, two bits for each channel, and moments."""
    bins = np.bincount((pixels.astype(int) >> 6) @ (16, 4, 1), minlength=64) / len(pixels)
    return np.concatenate([bins, pixels.mean(axis=0) / 255, pixels.std(axis=0) / 255])


def test_command(cbam_here, tmp_path):
    process = cbam_here('data', 'shapes', tmp_path, '--size', 32, '--train', 6, '--val', 4, '--classes', 3)
    assert process.returncode == 0, process.stderr
    assert process.stdout == f'{tmp_path}/train.rec: 6 records\n{tmp_path}/val.rec: 4 records\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert RecordFile(tmp_path / 'train.rec').labels.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'classes': 9}, 'the classes must be 2 to 8 .disc, .*, got 9'),
        ({'classes': 1}, 'the classes must be 2 to 8'),
        ({'size': 31}, 'at least 32 pixels, got 31'),
        ({'val': 7}, 'val.rec must have an image of each of the 8 classes, got 7'),
        ({'train': 7}, 'train.rec must have an image of each'),
    ],
)
def test_errors(arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        write_shapes(tmp_path, **{'size': 32, 'train': 8, 'val': 8, **arguments})
    assert list(tmp_path.iterdir()) == []

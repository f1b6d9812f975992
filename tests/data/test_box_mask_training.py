"""Masks of training follow their objects through every augmentation, on any number of threads and after a resume."""

from dataclasses import replace

import numpy as np
import pytest
from box_scenes import COLORS, write_boxes

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.mask_parts import SIDE, UNKNOWN
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.segmentation_files import segmentations_path
from gluon_cbam.data.boxes.segmentations import bitmap, mask_text
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading import box_augmentation
from gluon_cbam.data.loading.box_augmentation import BOX_AUGMENTATIONS
from gluon_cbam.data.loading.box_mask_training import MaskedDetectionData
from gluon_cbam.data.loading.box_training import CROWD
from gluon_cbam.data.loading.preprocessing import Preprocessing

SIZE = 160
RESIZES = {name: Preprocessing(SIZE, mean=(0.0, 0.0, 0.0), resize=name) for name in ('stretch', 'letterbox')}


def picture(number):
    """Up to four triangles of different colors, each in a strip; every second one has a mask in place of a polygon."""
    random = np.random.RandomState(number)
    height, width = ((120, 200), (180, 96))[number % 2]
    pixels, boxes, texts = np.zeros((height, width, 3), np.uint8), [], []
    count = number % 4 + 1
    for strip, color in enumerate(random.permutation(len(COLORS))[:count]):
        left, right = (width * (strip + share) / count for share in (0.05, 0.95))
        top, bottom = random.uniform(0, height * 0.4), random.uniform(height * 0.6, height)
        points = [left, top, right, random.uniform(top, bottom), random.uniform(left, right), bottom]
        text = str([points]).replace(' ', '')
        inside = bitmap(text, height, width) > 0
        pixels[inside] = COLORS[color]
        texts.append(text if strip % 2 else mask_text(inside))
        rows, columns = np.nonzero(inside)
        boxes.append((color, columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    boxes = np.array(boxes)
    return pixels, replace(Boxes.of(boxes[:, 1:], boxes[:, 0]), segmentations=np.array([*texts, ''], object)[:-1])


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    found = write_boxes(tmp_path_factory.mktemp('masks') / 'masks.rec', [picture(number) for number in range(16)])
    assert found.boxes_of(0).segmentations is None
    assert found.read_segmentations() == len(found.objects)
    return found


def loader(records, augmentation='ssd', resize='stretch', workers=2, batch_size=8, **more):
    return MaskedDetectionData(records, batch_size, RESIZES[resize], augmentation, 3, workers, **more)


def batches(data, epoch=1, skip=0):
    return [[array.asnumpy() for array in batch] for batch in data.epoch(epoch, skip)]


@pytest.mark.parametrize('resize', RESIZES)
@pytest.mark.parametrize('augmentation', BOX_AUGMENTATIONS)
def test_masks_are_where_the_pixels_are(records, augmentation, resize, monkeypatch):
    monkeypatch.setattr(box_augmentation, 'distortion', lambda rng: None)
    seen, wrong = 0, []
    for images, boxes, masks in batches(loader(records, augmentation, resize, batch_size=16)):
        assert masks.shape == (*boxes.shape[:2], SIDE, SIDE)
        for pixels, rows, parts in zip(images, boxes, masks):
            colors = rows[rows[:, 0] >= 0, 0].tolist()
            assert (parts[rows[:, 0] < 0] == UNKNOWN).all()
            for row, part in zip(rows, parts):
                if row[0] < 0 or colors.count(row[0]) > 1 or (row[3:] - row[1:3]).min() < 24:
                    continue
                left, top = row[1:3]
                columns, down = (np.floor(low + (np.arange(SIDE) + 0.5) / SIDE * (high - low)).astype(int)
                                 for low, high in ((left, row[3]), (top, row[4])))  # fmt: skip
                shown = pixels[down.clip(0, SIZE - 1)[:, None], columns.clip(0, SIZE - 1)].astype(int)
                there = np.abs(shown - COLORS[int(row[0])]).max(axis=2) < 128
                wrong.append((there != (part > 0)).mean())
                seen += 1
    assert seen >= 8
    assert np.mean(wrong) < 0.04  # at the outlines
    assert max(wrong) < 0.15


def test_the_same_on_any_number_of_threads_and_after_a_resume(records):
    for augmentation in ('ssd', 'mosaic'):
        expected = batches(loader(records, augmentation, workers=1))
        for mine, theirs in zip(batches(loader(records, augmentation, workers=4)), expected):
            assert all(np.array_equal(*pair) for pair in zip(mine, theirs))
        (resumed,) = batches(loader(records, augmentation), skip=1)
        assert all(np.array_equal(*pair) for pair in zip(resumed, expected[1]))


def test_crowds_and_objects_without_a_mask_have_none(tmp_path):
    pixels, boxes = picture(3)
    texts = boxes.segmentations.copy()
    texts[1] = ''
    boxes = replace(boxes, crowd=np.array([True, False, False, False]), segmentations=texts)
    records = write_boxes(tmp_path / 'x.rec', [(pixels, boxes)])
    assert records.read_segmentations() == 2
    ((_, (rows,), (masks,)),) = batches(loader(records, 'none', batch_size=1))
    assert rows[0, 0] == CROWD
    assert [bool((mask == UNKNOWN).all()) for mask in masks[:5]] == [True, True, False, False, True]


def test_segmentations_that_do_not_fit_are_refused(tmp_path):
    pixels, boxes = picture(0)
    records = write_boxes(tmp_path / 'x.rec', [(pixels, boxes)])
    path = segmentations_path(records.path)
    whole = path.read_text()
    for old, new, message in (
        ('"segmentations":[', '"segmentations":[null,', 'has 2 segmentations, its label 1 objects: pack it again'),
        (boxes.segmentations[0], mask_text(np.ones((9, 8), bool)), 'object 0 has a mask of 8 x 9 pixels, the picture'),
    ):
        path.write_text(whole.replace(old, new))
        with pytest.raises(DataError, match=message):
            BoxRecords(records.path).read_segmentations()
    path.unlink()
    assert BoxRecords(records.path).read_segmentations() == 0

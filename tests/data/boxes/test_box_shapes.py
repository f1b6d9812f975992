"""Drawn scenes with boxes: the boxes are those of the objects, reproducible, of many sizes, and visible."""

import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.segmentations import bitmap
from gluon_cbam.data.datasets import box_scenes
from gluon_cbam.data.datasets.box_scenes import draw_box_scene, write_box_shapes
from gluon_cbam.data.datasets.mask_scenes import write_mask_shapes
from gluon_cbam.data.datasets.scenes import CLASSES
from gluon_cbam.data.records.images import decode_record

NAMES = list(CLASSES)


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('shapes')
    assert write_box_shapes(folder, 64, 12, 5, seed=3, workers=2) == {'train.rec': 12, 'val.rec': 5}
    return folder


def test_reproducible(shapes, tmp_path):
    for folder, count, seed in (('again', 12, 3), ('more', 15, 3), ('other', 12, 4)):
        write_box_shapes(tmp_path / folder, 64, count, 5, seed=seed)
    for name in ('train.rec', 'train.idx', 'train.segmentations.json', 'val.rec', 'classes.txt'):
        assert (tmp_path / 'again' / name).read_bytes() == (shapes / name).read_bytes(), name
    assert (tmp_path / 'more' / 'val.rec').read_bytes() == (shapes / 'val.rec').read_bytes()
    assert (tmp_path / 'more' / 'train.rec').read_bytes().startswith((shapes / 'train.rec').read_bytes())
    assert (tmp_path / 'other' / 'val.rec').read_bytes() != (shapes / 'val.rec').read_bytes()


def test_records(shapes):
    records = BoxRecords(shapes / 'train.rec')
    assert (records.classes, records.names.names) == (8, NAMES)
    assert set(records.counts.tolist()) <= set(range(9))
    for number in range(len(records)):
        assert decode_record(records.records, number).shape == (64, 64, 3)
        boxes = records.boxes_of(number)
        assert (boxes.corners >= 0).all()
        assert (boxes.corners <= 64).all()
        assert np.array_equal(boxes.corners, np.round(boxes.corners))


def test_segmentations_are_of_the_boxes(shapes):
    boxes = read_boxes(shapes / 'train.rec').parts[0].columns.boxes
    assert boxes.segmented == len(boxes) > 10
    for corners, area, text in zip(boxes.corners.astype(int).tolist(), boxes.areas, boxes.segmentations):
        rows, columns = np.nonzero(bitmap(text, 64, 64))
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == corners
        assert len(rows) == area


def test_segmentations_of_older_records_are_removed(tmp_path):
    write_box_shapes(tmp_path, 64, 2, 1)
    assert (tmp_path / 'val.segmentations.json').is_file()
    write_mask_shapes(tmp_path, 64, 2, 1)
    assert not list(tmp_path.glob('*.segmentations.json'))


def test_numbers_and_sizes_vary():
    scenes = [draw_box_scene(NAMES, 64, np.random.RandomState([1, number])) for number in range(60)]
    counts = np.bincount([len(scene.boxes) for scene in scenes], minlength=9)
    assert len(counts) == 9
    assert (counts > 0).all()
    corners = np.concatenate([scene.boxes.corners for scene in scenes])
    sides = (corners[:, 2:] - corners[:, :2]).max(axis=1)
    assert sides.min() < 11
    assert sides.max() > 30
    assert set(np.concatenate([scene.boxes.classes for scene in scenes])) == set(range(8))


def test_boxes_bound_what_is_painted(monkeypatch):
    """Each box against the pixels that change where its object is painted, whatever coverage says."""
    painted = []
    put = box_scenes.put_shape

    def spy(canvas, outline, random, radii):
        before = canvas.copy()
        cover = put(canvas, outline, random, radii)
        painted.append((before, canvas.copy(), outline))
        return cover

    monkeypatch.setattr(box_scenes, 'put_shape', spy)
    for seed in range(6):
        painted.clear()
        scene = draw_box_scene(NAMES, 96, np.random.RandomState(seed))
        found = []
        for before, after, outline in painted:
            rows, columns = np.nonzero(np.abs(after - before).sum(axis=2) > 40)
            bounds = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            found.append((outline, np.array(bounds)))
        for corners, label in zip(scene.boxes.corners, scene.boxes.classes):
            near = [
                outline for outline, bounds in found if np.abs(bounds - corners).max() <= 1
            ]  # the border of an object is antialiased
            assert CLASSES[NAMES[label]] in near


def test_objects_stay_visible(monkeypatch):
    """The share of each object whose pixels are those that were painted for it."""
    states = []
    put = box_scenes.put_shape

    def spy(canvas, outline, random, radii):
        cover = put(canvas, outline, random, radii)
        states.append((cover >= 0.5, canvas.copy()))
        return cover

    monkeypatch.setattr(box_scenes, 'put_shape', spy)
    for seed in range(6):
        states.clear()
        scene = draw_box_scene(NAMES, 96, np.random.RandomState(seed))
        for corners in scene.boxes.corners:
            shares = []
            for cover, canvas in states:
                rows, columns = np.nonzero(cover)
                if [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == corners.tolist():
                    same = np.abs(canvas - scene.image).max(axis=2) <= 1
                    shares.append((same & cover).sum() / cover.sum())
            assert max(shares) >= 0.5  # of pixels that are covered by less than half, too


@pytest.mark.parametrize('change, message', [({'size': 63}, 'at least 64'), ({'classes': 9}, '1 to 8')])
def test_refused(tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        write_box_shapes(tmp_path, train=2, val=2, **change)

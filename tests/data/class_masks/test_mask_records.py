"""Segmentation records: pictures and masks come back, other readers take the picture, and damage is found."""

import cv2
import mask_files
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.class_masks.png import encode_mask
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.data.datasets.box_scenes import write_box_shapes
from gluon_cbam.data.datasets.mask_scenes import write_mask_shapes
from gluon_cbam.data.preparation.mask_packing import pack_masks
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.records.segmentation import mask_labels, mask_length


@pytest.fixture
def path(tmp_path):
    pack_masks(mask_files.folders(tmp_path / 'set'), tmp_path / 'rec')
    return tmp_path / 'rec' / 'train.rec'


def test_pictures_and_masks_come_back(path, tmp_path):
    records = MaskRecords(path)
    assert (len(records), records.classes, records.counted) == (3, 3, 3)
    for number, (name, size) in enumerate(mask_files.SIZES.items()):
        pixels, mask = records.load(number)
        assert records.size_of(number) == size == pixels.shape[:2]
        assert np.array_equal(mask, mask_files.mask_of(name))
        assert records.records.image(number) == (tmp_path / 'set' / 'images' / f'{name}.jpg').read_bytes()


def test_mxnets_reader_takes_the_picture(path, tmp_path):
    import mxnet as mx

    reader = mx.recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'r')
    header, pixels = mx.recordio.unpack_img(reader.read_idx(2))
    assert header.label.shape == (6,)
    assert np.array_equal(pixels, cv2.imread(str(tmp_path / 'set' / 'images' / 'b.jpg')))


def test_long_masks_have_their_length():
    for length in (1, 65535, 65536, 20_000_000):
        assert mask_length(np.array(mask_labels((3, 4), length, 0), np.float32)) == length
    assert mask_length(np.zeros(6, np.float32)) == 0


def test_records_of_another_task_are_told_apart(path, tmp_path):
    with pytest.raises(DataError, match='has masks, and no classes of whole images: give --task segmentation'):
        RecordFile(path).check_label_counts()
    with RecordWriter(tmp_path / 'plain.rec') as writer:
        writer.write(1.0, b'x')
    with pytest.raises(DataError, match='record 0 at offset 0 has no mask'):
        MaskRecords(tmp_path / 'plain.rec')


def test_classes_are_compared(path):
    records = MaskRecords(path)
    records.check_classes(3)
    with pytest.raises(DataError, match=r'record 0 .* has class 2, not a class in 0..1 \(3 of 3 records\)'):
        records.check_classes(2)
    (path.parent / 'classes.txt').write_text('one\ntwo\n')
    with pytest.raises(DataError, match='has class 2'):
        MaskRecords(path)


def test_a_mask_that_does_not_fit_is_found(tmp_path):
    picture = cv2.imencode('.png', np.zeros((6, 7, 3), np.uint8))[1].tobytes()
    masks = {'other size': np.zeros((6, 8), np.uint8), 'class': np.full((6, 7), 2, np.uint8), 'cut': None}
    with RecordWriter(tmp_path / 'x.rec') as writer:
        for mask in masks.values():
            data = b'\x89PNG' if mask is None else encode_mask(mask)
            writer.write(mask_labels((6, 7), len(data), 1), picture + data)
    records = MaskRecords(tmp_path / 'x.rec')
    for number, reason in enumerate(('its mask has 8 x 6 pixels, its picture 7 x 6', 'the largest class', 'damaged')):
        decode_record(records.records, number)
        with pytest.raises(DataError, match=f'record {number} at offset .*{reason}'):
            records.load(number)


def test_drawn_scenes_have_the_objects_of_their_boxes(tmp_path):
    options = {'size': 64, 'train': 6, 'val': 2, 'classes': 3, 'seed': 4}
    write_mask_shapes(tmp_path / 'masks', **options)
    write_box_shapes(tmp_path / 'boxes', **options)
    from gluon_cbam.data.boxes.records import BoxRecords

    masks, boxes = MaskRecords(tmp_path / 'masks' / 'train.rec'), BoxRecords(tmp_path / 'boxes' / 'train.rec')
    assert masks.names.names == ['background', *boxes.names.names]
    for number in range(6):
        pixels, mask = masks.load(number)
        assert np.array_equal(pixels, decode_record(boxes.records, number))
        found = boxes.boxes_of(number)
        inside = np.zeros(mask.shape, bool)
        for (left, top, right, bottom), label in zip(found.corners.astype(int), found.classes):
            inside[top:bottom, left:right] = True
            assert (mask[top:bottom, left:right] == label + 1).any()
        assert not mask[~inside].any()

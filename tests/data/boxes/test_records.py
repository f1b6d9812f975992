"""Opened detection records, against MXNet's and GluonCV's readers."""

import cv2
import mxnet as mx
import numpy as np
import pytest
from records import encoded, photo

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordWriter, index_path

SIZES = [(48, 64), (40, 60), (30, 90)]
BOXES = [
    Boxes.of([[1, 2, 33, 44], [0, 0, 64, 48]], [0, 2], [1, 0], [0, 1], [7, 3072]),
    Boxes.empty(),
    Boxes.of([[89, 29, 90, 30]], [1]),
]


def write(path, labels, sizes=SIZES):
    with RecordWriter(path) as writer:
        for label, size in zip(labels, sizes):
            writer.write(label, encoded(photo(*size)))
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / 'train.rec', [encode(boxes, *size) for boxes, size in zip(BOXES, SIZES)])


def test_boxes_come_back(file):
    records = BoxRecords(file)
    assert (len(records), records.classes, records.counts.tolist()) == (3, 3, [2, 0, 1])
    for number, (boxes, size) in enumerate(zip(BOXES, SIZES)):
        back = records.boxes_of(number)
        for name in ('corners', 'classes', 'difficult', 'crowd', 'areas'):
            assert np.array_equal(getattr(back, name), getattr(boxes, name)), name
        assert records.size_of(number) == records.stated_size(number) == size
        assert decode_record(records.records, number).shape == (*size, 3)


def test_corners_follow_the_picture_that_was_scaled(tmp_path):
    records = BoxRecords(write(tmp_path / 'a.rec', [encode(BOXES[0], 96, 128)], [(48, 64)]))
    assert records.boxes_of(0).corners[1].tolist() == [0, 0, 32, 24]
    assert records.boxes_of(0, (96, 128)).corners[1].tolist() == [0, 0, 64, 48]
    assert (records.size_of(0), records.stated_size(0)) == ((48, 64), (96, 128))


def test_gluoncv_reads_the_same(file):
    from gluoncv.data import RecordFileDetection

    theirs = RecordFileDetection(str(file))
    for number, boxes in enumerate(BOXES):
        image, label = theirs[number]
        assert image.shape == (*SIZES[number], 3)
        if not len(boxes):
            assert (label[:, 4] == -1).all()
            continue
        assert np.allclose(label[:, :4], boxes.corners, atol=1e-4)
        assert np.array_equal(label[:, 4:7], np.column_stack([boxes.classes, boxes.difficult, boxes.crowd]))


def test_mxnet_reads_the_same(file):
    theirs = mx.io.ImageDetRecordIter(
        path_imgrec=str(file), batch_size=3, data_shape=(3, 60, 60), shuffle=False, preprocess_threads=1
    )
    for boxes, size, row in zip(BOXES, SIZES, next(theirs).label[0].asnumpy()):
        label = row[4 : 4 + int(row[3])]
        assert label[:4].tolist() == [4, 8, *size[::-1]]
        objects = label[4:].reshape(-1, 8)
        if not len(boxes):
            assert (objects == -1).all()
            continue
        assert np.array_equal(objects[:, 0], boxes.classes)
        assert np.allclose(objects[:, 1:5] * [*size[::-1], *size[::-1]], boxes.corners, atol=1e-4)


def test_mxnets_image_iterator_reads_the_same(tmp_path):
    chosen = [0, 2]  # it refuses pictures without objects
    path = write(tmp_path / 'a.rec', [encode(BOXES[n], *SIZES[n]) for n in chosen], [SIZES[n] for n in chosen])
    theirs = mx.image.ImageDetIter(2, (3, 60, 60), path_imgrec=str(path), path_imgidx=str(index_path(path)))
    for n, rows in zip(chosen, next(theirs).label[0].asnumpy()):
        boxes, (height, width) = BOXES[n], SIZES[n]
        objects = rows[rows[:, 0] >= 0]
        assert np.array_equal(objects[:, 0], boxes.classes)
        assert np.allclose(objects[:, 1:5] * [width, height, width, height], boxes.corners, atol=1e-4)


def test_reads_what_mxnet_packs(tmp_path):
    """Labels of im2rec --pack-label: [A, B, ...] as floats in the header of the record."""
    path = tmp_path / 'a.rec'
    writer = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), 'w')
    labels = [[2, 5, 1, 0.25, 0.5, 0.75, 1], [4, 6, 64, 48], [4, 6, 64, 48, 0, 0, 0, 0.5, 0.5, 1]]
    for number, label in enumerate(labels):
        writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, label, number, 0), encoded()))
    writer.close()
    records = BoxRecords(path)
    assert (records.counts.tolist(), records.classes) == ([1, 0, 1], 2)
    height, width = records.size_of(0)
    assert records.boxes_of(0).corners.tolist() == [[width / 4, height / 2, width * 3 / 4, height]]
    assert records.boxes_of(2).difficult.tolist() == [True]
    assert records.stated_size(0) is None


def test_pictures_that_their_exif_data_turn(tmp_path):
    from io import BytesIO

    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    with RecordWriter(tmp_path / 'a.rec') as writer:
        for form in ('JPEG', 'PNG'):
            file = BytesIO()
            Image.fromarray(photo(20, 40)).save(file, form, exif=exif)
            writer.write(encode(Boxes.of([[0, 0, 20, 40]], [0]), 40, 20), file.getvalue())
    records = BoxRecords(tmp_path / 'a.rec')
    assert [records.size_of(number) for number in (0, 1)] == [(40, 20)] * 2
    assert [decode_record(records.records, number).shape for number in (0, 1)] == [(40, 20, 3)] * 2


def test_sizes_of_every_format_are_those_of_its_pixels():
    from gluon_cbam.data.decoding import image_size

    for ending in ('.jpg', '.png', '.bmp', '.webp', '.tif'):
        image = cv2.imencode(ending, photo(20, 40))[1].tobytes()
        assert image_size(image, ending) == (20, 40), ending


@pytest.mark.parametrize(
    'label, message',
    [
        (3.0, 'record 1 at offset [0-9]+: has 1 label, as records of classification'),
        ([2, 5, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1], 'record 1 at offset [0-9]+: object 1: .* enclose nothing'),
    ],
)
def test_the_first_fault_is_named(tmp_path, label, message):
    good = encode(BOXES[0], *SIZES[0])
    with pytest.raises(DataError, match=message):
        BoxRecords(write(tmp_path / 'a.rec', [good, label, label]))


def test_classes_are_those_of_the_names_beside(file):
    (file.parent / 'classes.txt').write_text('a\nb\nc\nd\n')
    assert BoxRecords(file).classes == 4
    assert BoxRecords(file).names.names == ['a', 'b', 'c', 'd']
    (file.parent / 'classes.txt').write_text('a\nb\n')
    with pytest.raises(DataError, match=r'record 0 at offset 0: object 1: .*classes.txt has no class 2, but 2 names'):
        BoxRecords(file)

"""Training batches of pictures with boxes are the same on any number of threads and processes, and after a resume."""

import cv2
import numpy as np
import pytest
from box_scenes import COLORS, apart, drawn, found, write_boxes

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading import epochs
from gluon_cbam.data.loading.bad_records import BadRecords
from gluon_cbam.data.loading.box_augmentation import BOX_AUGMENTATIONS
from gluon_cbam.data.loading.box_training import DetectionData, padded
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordWriter

PLAIN = Preprocessing(32, mean=(0.0, 0.0, 0.0), resize='stretch')


def pictures(count):
    for number in range(count):
        height, width = (40, 60) if number % 2 else (80, 44)
        boxes = apart(height, width, number % 4, number)
        yield drawn(height, width, boxes), boxes


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    return write_boxes(tmp_path_factory.mktemp('scenes') / 'scenes.rec', pictures(30))


def loader(records, batch_size=12, augmentation='ssd', workers=2, **more):
    return DetectionData(records, batch_size, PLAIN, augmentation, 3, workers, **more)


def batches(data, epoch, skip=0):
    return [(batch.images.asnumpy(), batch.boxes.asnumpy()) for batch in data.epoch(epoch, skip)]


def rows(boxes):
    """The rows of all pictures without padding."""
    return [each[each[:, 0] >= 0].tolist() for each in boxes]


@pytest.mark.parametrize('augmentation', BOX_AUGMENTATIONS)
def test_the_same_on_any_number_of_threads_and_processes(records, augmentation):
    expected = batches(loader(records, augmentation=augmentation, workers=1), 1)
    assert len(expected) == 2
    for threads in (2, 4):
        for mine, theirs in zip(batches(loader(records, augmentation=augmentation, workers=threads), 1), expected):
            assert np.array_equal(mine[0], theirs[0])
            assert np.array_equal(mine[1], theirs[1])
    (resumed,) = batches(loader(records, augmentation=augmentation), 1, skip=1)
    assert np.array_equal(resumed[0], expected[1][0])
    assert np.array_equal(resumed[1], expected[1][1])
    for processes in (2, 3):
        shares = [
            batches(loader(records, augmentation=augmentation, rank=rank, processes=processes), 1)
            for rank in range(processes)
        ]
        for step, (images, boxes) in enumerate(expected):
            assert np.array_equal(np.concatenate([share[step][0] for share in shares]), images)
            assert sum((rows(share[step][1]) for share in shares), []) == rows(boxes)


def test_epochs_differ(records):
    first, second = (batches(loader(records), epoch)[0][0] for epoch in (0, 1))
    assert not np.array_equal(first, second)


def test_shapes_and_padding(records):
    for images, boxes in batches(loader(records), 0):
        assert (images.shape, images.dtype) == ((12, 32, 32, 3), np.uint8)
        assert (boxes.shape, boxes.dtype) == ((12, 8, 5), np.float32)
        for each in boxes:
            real = each[:, 0] >= 0
            assert (each[~real] == -1).all()
            assert not real[np.argmin(real) :].any() or real.all(), 'padding is at the end'
            assert (each[real][:, 1:3] < each[real][:, 3:]).all()


def test_batches_in_a_row_have_one_of_several_sizes(records, monkeypatch):
    """Pictures and boxes follow; threads, processes and a resume change nothing."""
    monkeypatch.setattr(epochs, '_ONE_SIZE', 2)
    sizes = {'augmentation': 'none', 'image_sizes': (32, 64, 96)}
    expected = [batches(loader(records, 3, **sizes), epoch) for epoch in (0, 1)]
    sides = [[images.shape[1] for images, _ in epoch] for epoch in expected]
    assert [side[::2][:5] == side[1::2] for side in sides] == [True, True]
    assert sides[0] != sides[1]
    assert set(sides[0] + sides[1]) == {32, 64, 96}
    for images, boxes in expected[0]:
        for pixels, rows_of in zip(images, boxes):
            for kind, *box in rows_of[rows_of[:, 0] >= 0].tolist():
                if min(box[2] - box[0], box[3] - box[1]) >= 3:
                    assert np.abs(found(pixels, int(kind)) - box).max() <= 1.01
    shares = [batches(loader(records, 3, workers=3, rank=rank, processes=3, **sizes), 0, skip=3) for rank in range(3)]
    for step, (images, boxes) in enumerate(expected[0][3:]):
        assert np.array_equal(np.concatenate([share[step][0] for share in shares]), images)
        assert sum((rows(share[step][1]) for share in shares), []) == rows(boxes)


@pytest.mark.parametrize(('counts', 'expected'), [([0, 0], 8), ([1, 8], 8), ([9], 16), ([3, 17], 24)])
def test_padding_is_to_multiples_of_eight(counts, expected):
    boxes = [np.arange(5 * count, dtype=float).reshape(-1, 5) for count in counts]
    result = padded(boxes)
    assert result.shape == (len(counts), expected, 5)
    for row, each in zip(result, boxes):
        assert np.array_equal(row[: len(each)], each)
        assert (row[len(each) :] == -1).all()


def test_boxes_belong_to_their_pictures(records):
    seen = 0
    for images, boxes in batches(loader(records, augmentation='none'), 0):
        for pixels, row in zip(images, boxes):
            for kind, *box in row[row[:, 0] >= 0].tolist():
                if min(box[2] - box[0], box[3] - box[1]) >= 3:
                    assert np.abs(found(pixels, int(kind)) - box).max() <= 1.01
                    seen += 1
            absent = set(range(len(COLORS))) - set(row[:, 0].astype(int).tolist())
            assert all(found(pixels, kind) is None for kind in absent)
    assert seen > 10


def test_crowds_are_marked_and_difficult_ones_are_not(tmp_path):
    boxes = Boxes.of(
        [[0, 0, 10, 10], [20, 20, 30, 30], [4, 30, 10, 38]], [0, 1, 2], difficult=[False, False, True],
        crowd=[False, True, False],
    )  # fmt: skip
    records = write_boxes(tmp_path / 'one.rec', [(drawn(40, 40, boxes), boxes)])
    ((_, (row,)),) = batches(loader(records, 1, 'none'), 0)
    assert row[:, 0].tolist() == [0, -2, 2, -1, -1, -1, -1, -1]
    ((_, (row,)),) = batches(loader(records, 1, 'none', ignore_difficult=True), 0)
    assert row[:, 0].tolist() == [0, -2, -2, -1, -1, -1, -1, -1]


def test_numbers_of_a_batch(tmp_path):
    """Pictures of one color: the color tells the record."""
    boxes = [Boxes.of([[0, 0, 8, 8]], [number]) for number in range(5)]
    records = write_boxes(tmp_path / 'five.rec', [(drawn(8, 8, each), each) for each in boxes])
    data = loader(records, 2, 'none')
    for epoch in range(3):
        for step, (_, rows) in enumerate(batches(data, epoch)):
            assert data.numbers(epoch, step) == rows[:, 0, 0].astype(int).tolist()


def test_damaged_pictures_are_replaced_and_counted(tmp_path):
    write_boxes(tmp_path / 'bad.rec', pictures(10))
    content = bytearray((tmp_path / 'bad.rec').read_bytes())
    begin = content.index(b'IHDR', content.index(b'IHDR', 200) + 4)
    content[begin + 4 : begin + 12] = b'\xff' * 8
    (tmp_path / 'bad.rec').write_bytes(content)
    records = type(loader(write_boxes(tmp_path / 'good.rec', pictures(10)), 5).records)(tmp_path / 'bad.rec')
    with pytest.raises(DataError, match=r'bad.rec: record \d at offset'):
        batches(loader(records, 5), 0)
    data = loader(records, 5, bad=BadRecords(1))
    assert len(batches(data, 0)) == 2
    assert len(data.bad.numbers) == 1


@pytest.mark.parametrize('augmentation', ['ssd', 'mosaic'])
def test_pictures_that_end_too_early_are_replaced(tmp_path, augmentation):
    """Their headers are whole: the damage is found when the row was planned, and it is planned anew."""
    pixels = np.random.RandomState(0).randint(0, 256, (40, 60, 3), np.uint8)
    encoded = cv2.imencode('.jpg', pixels)[1].tobytes()
    with RecordWriter(tmp_path / 'cut.rec') as writer:
        for number in range(8):
            image = encoded[: len(encoded) // 2] if number in (2, 5) else encoded
            writer.write(encode(Boxes.of([[5, 5, 50, 30]], [number]), 40, 60), image)
    records = BoxRecords(tmp_path / 'cut.rec')
    shown = []
    for workers in (1, 3):
        data = loader(records, 8, augmentation, workers, bad=BadRecords(2))
        ((images, boxes),) = batches(data, 0)
        assert sorted(data.bad.numbers) == [2, 5]
        assert not set(boxes[..., 0].ravel().tolist()) & {2, 5}
        shown.append((images, boxes))
    assert all(np.array_equal(one, two) for one, two in zip(*shown))
    with pytest.raises(DataError, match='one bad record more than --max-bad-records 1'):
        batches(loader(records, 8, augmentation, bad=BadRecords(1)), 0)


def test_bad_settings(records):
    with pytest.raises(UsageError, match="unknown augmentation 'imagenet' of pictures with boxes"):
        loader(records, augmentation='imagenet')
    with pytest.raises(UsageError, match='a batch of 31 needs at least as many records'):
        loader(records, 31)

"""Training batches: order and pixels depend only on seed and epoch, and damage is counted, never ignored."""

import logging
import threading

import mxnet as mx
import numpy as np
import pytest
from records import BAD_IMAGES, encoded, numbered_images, photo, write, write_numbered, write_with_bad_image

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading import epochs, training
from gluon_cbam.data.loading.augmentation import AUGMENTATIONS
from gluon_cbam.data.loading.bad_records import BadRecords
from gluon_cbam.data.loading.order import RepeatedOrder
from gluon_cbam.data.loading.policies.erasing import Cutout, RandomErasing
from gluon_cbam.data.loading.policies.jitter import ColorJitter, RandomRotation
from gluon_cbam.data.loading.policies.randaugment import RandAugment
from gluon_cbam.data.loading.policies.trivialaugment import TrivialAugment
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Normalize, TrainingData
from gluon_cbam.data.records.images import open_record

SIZE = Preprocessing(8, 1.0)


@pytest.fixture(scope='module')
def numbered(tmp_path_factory):
    return write_numbered(tmp_path_factory.mktemp('numbered'))


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """A file of 30 JPEGs, in portrait and landscape format."""
    images = [encoded(photo(*((40, 56) if number % 2 else (60, 44)), number)) for number in range(30)]
    return write(tmp_path_factory.mktemp('photos') / 'photos.rec', images)


@pytest.fixture(params=BAD_IMAGES)
def with_bad_image(request, tmp_path):
    return write_with_bad_image(tmp_path, request.param)


def loader(records, batch_size=16, augmentation='none', seed=3, workers=2, **more):
    return TrainingData(records, batch_size, more.pop('preprocessing', SIZE), augmentation, seed, workers, **more)


def labels(data, epoch, skip=0):
    return [batch.labels.asnumpy().astype(int).tolist() for batch in data.epoch(epoch, skip)]


def pixels(data, epoch, skip=0):
    return [batch.images.asnumpy() for batch in data.epoch(epoch, skip)]


def test_images_and_labels_are_of_the_same_record(numbered):
    for batch in loader(numbered, workers=4).epoch(0):
        assert batch.images.shape == (16, 8, 8, 3)
        assert (batch.images.dtype, batch.labels.dtype) == (np.uint8, np.float32)
        assert (batch.images.asnumpy()[:, 4, 4, 0] // 5).tolist() == batch.labels.asnumpy().tolist()


def test_order_follows_seed_and_epoch(numbered):
    data = loader(numbered)
    first = labels(data, 0)
    flat = sum(first, [])
    assert len(first) == len(data) == 3
    assert len(set(flat)) == 48
    assert flat != sorted(flat)
    assert labels(data, 0) == first
    assert labels(data, 1) != first
    assert labels(loader(numbered, seed=4), 0) != first
    left_out = {frozenset(range(50)) - set(sum(labels(data, epoch), [])) for epoch in range(4)}
    assert len(left_out) > 1, 'the same records are left out in every epoch'


def test_every_record_occurs_at_every_position(numbered):
    data = loader(numbered, batch_size=50)
    orders = np.array([sum(labels(data, epoch), []) for epoch in range(60)])
    assert (np.sort(orders, axis=1) == np.arange(50)).all()
    counts = np.array([np.bincount(place, minlength=50) for place in orders.T])
    assert 30 < ((counts - 1.2) ** 2 / 1.2).sum(axis=1).mean() < 70  # chi-squared of 49 degrees of freedom
    assert np.abs(np.corrcoef(orders[:-1].ravel(), orders[1:].ravel())[0, 1]) < 0.05


FURTHER = (
    RandomRotation(20), ColorJitter(0.4, 0.4, 0.4, 0.1), RandAugment(8, 9, 0.5, probability=1), TrivialAugment(),
    Cutout(4, 0.8), RandomErasing(0.8, 'pixel', 2),
)  # fmt: skip


@pytest.mark.parametrize(('augmentation', 'further'), [*((name, ()) for name in AUGMENTATIONS), ('none', FURTHER)])
def test_pixels_are_the_same_on_any_number_of_threads_and_workers(photos, augmentation, further):
    def of(batch_size=12, epoch=1, skip=0, **more):
        return pixels(loader(photos, batch_size, augmentation, further=further, **more), epoch, skip)

    expected = of(workers=1)
    for threads in (1, 2, 4):
        assert np.array_equal(of(workers=threads), expected)
    assert np.array_equal(of(skip=1), expected[1:])
    for processes in (2, 3):
        shares = [of(rank=rank, processes=processes) for rank in range(processes)]
        assert np.array_equal([np.concatenate(step) for step in zip(*shares)], expected)
    assert (augmentation == 'none' and not further) == np.array_equal(
        *(np.sort(np.concatenate(of(30, epoch)), axis=0) for epoch in (0, 1))
    ), 'epochs have other pixels, but for none'


def repeated(records, repeats, batch_size, **more):
    order = RepeatedOrder(len(records), repeats, batch_size)
    return loader(records, batch_size, 'none', further=(RandomErasing(1, 'pixel'),), order=order, **more)


@pytest.mark.parametrize(('repeats', 'batch_size'), [(3, 12), (3, 16), (2, 5), (7, 7), (4, 50)])
def test_repeated_augmentation(numbered, repeats, batch_size):
    """An epoch is a part of the records, each several times, and another part in another epoch."""
    data = repeated(numbered, repeats, batch_size)
    epochs = [labels(data, epoch) for epoch in range(2)]
    for batches in epochs:
        assert len(batches) == len(data) == 50 // batch_size
        counts = np.bincount(sum(batches, []), minlength=50)
        assert counts.max() == repeats
        assert (counts > 0).sum() == -(-len(data) * batch_size // repeats)
        assert ((counts == 0) | (counts == repeats)).sum() >= 49, 'the last one may be cut'
    assert set(sum(epochs[0], [])) != set(sum(epochs[1], []))
    images = next(repeated(numbered, repeats, batch_size, preprocessing=Preprocessing(16, 1.0)).epoch(0)).images
    assert len({image.tobytes() for image in images.asnumpy()}) == batch_size, 'each is augmented anew'


def test_repeated_images_are_shared_by_devices_and_processes(numbered):
    """As with timm's sampler: with as many devices as repetitions, each has an image once."""
    whole = labels(repeated(numbered, 3, 12), 0)
    for batch in whole:
        assert [len(set(batch[first : first + 4])) for first in (0, 4, 8)] == [4, 4, 4]
        assert batch[:4] == batch[4:8] == batch[8:]
    shares = [labels(repeated(numbered, 3, 12, rank=rank, processes=3), 0) for rank in range(3)]
    assert [sum(step, []) for step in zip(*shares)] == whole
    assert labels(repeated(numbered, 3, 12), 0, skip=2) == whole[2:]


def test_processes_do_the_same_number_of_steps(numbered):
    """50 records, 3 processes: one with an additional step would wait for the others forever."""
    shares = [labels(loader(numbered, 12, rank=rank, processes=3), 0) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 4]
    assert [sum(step, []) for step in zip(*shares)] == labels(loader(numbered, 12), 0)


def test_skipping_decodes_nothing(numbered, monkeypatch):
    read = []
    monkeypatch.setattr(epochs, 'open_record', lambda records, n: read.append(n) or open_record(records, n))
    data = loader(numbered)
    assert labels(data, 0, skip=2) == labels(data, 0)[2:]
    assert len(read) == 16 + 48
    assert labels(data, 0, skip=3) == labels(data, 0, skip=9) == []


@pytest.mark.parametrize('workers', [1, 4])
def test_reads_a_bounded_number_of_images_ahead(numbered, monkeypatch, workers):
    read = []
    monkeypatch.setattr(epochs, 'open_record', lambda records, n: read.append(n) or open_record(records, n))
    batches = loader(numbered, 5, workers=workers).epoch(0)
    for taken in range(1, 4):
        next(batches)
        threading.Event().wait(0.3)
        assert len(read) <= 5 * taken + max(2 * 5 + 4, 8 * 2 * workers)
    batches.close()


def test_closing_early_leaves_no_threads(photos):
    batches = loader(photos, 5, workers=4).epoch(0)
    next(batches)
    assert [thread for thread in threading.enumerate() if thread.name.startswith('images')]
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith('images')]


def test_errors_in_a_thread_are_raised(numbered, monkeypatch):
    def fail(*arguments):
        raise MemoryError('no memory in a thread')

    monkeypatch.setattr(training, 'augment', fail)
    with pytest.raises(MemoryError, match='no memory in a thread'):
        next(loader(numbered).epoch(0))


def test_bad_settings(numbered):
    with pytest.raises(UsageError, match="unknown augmentation 'imgenet': did you mean imagenet"):
        loader(numbered, augmentation='imgenet')
    with pytest.raises(UsageError, match='a batch of 51 needs at least as many records.*has 50'):
        loader(numbered, 51)
    with pytest.raises(UsageError, match='3 workers cannot share a batch of 16 images evenly'):
        loader(numbered, 16, processes=3)


def test_normalize_equals_validation():
    images = np.random.RandomState(0).randint(0, 256, (4, 32, 32, 3), np.uint8)
    images[0] = 255
    preprocessing = Preprocessing(32, 1.0)
    block = Normalize(preprocessing)
    assert not list(block.collect_params())
    expected = np.stack([preprocessing(image) for image in images])
    for _ in range(2):
        ours = block(mx.nd.array(images, dtype='uint8'))
        assert np.abs(ours.asnumpy() - expected).max() < 1e-6
        block.hybridize(static_alloc=True, static_shape=True)
    half = Normalize(preprocessing, 'float16')(mx.nd.array(images, dtype='uint8'))
    assert half.dtype == np.float16
    assert np.abs(half.asnumpy() - expected).max() < 2e-3


@pytest.fixture
def with_three_bad(tmp_path):
    """A file of 20 numbered images; 3, 8 and 15 are damaged."""
    images = numbered_images(20)
    for number in (3, 8, 15):
        images[number] = b'\xff\xd8\xff' + bytes(50)
    return write(tmp_path / 'bad.rec', images)


def test_without_a_limit_a_bad_image_ends_the_epoch(with_bad_image):
    with pytest.raises(DataError, match=rf'bad.rec: record 6 at offset {with_bad_image.offset(6)}: ') as caught:
        list(loader(with_bad_image, 5).epoch(0))
    assert '--max-bad-records' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_batches_before_a_bad_image_are_good(with_three_bad):
    order = sum(labels(loader(with_three_bad, 1, bad=BadRecords(3)), 0), [])
    data = loader(with_three_bad, 1, workers=4)
    batches, seen = data.epoch(0), []
    with pytest.raises(DataError):
        seen.extend(int(batch.labels.asscalar()) for batch in batches)
    assert seen == order[: len(seen)]
    assert len(seen) == min(np.flatnonzero(np.isin(full_order(20), (3, 8, 15))))


def full_order(count, epoch=0, seed=3):
    """The order of an epoch by its definition."""
    random = np.random.Generator(np.random.Philox(key=(seed, epoch), counter=(0, 0, 0, 0)))
    return np.argsort(random.random(count), kind='stable')


@pytest.mark.parametrize('workers', [1, 4])
def test_bad_images_are_replaced_counted_and_logged(with_three_bad, workers, caplog):
    data = loader(with_three_bad, 5, workers=workers, bad=BadRecords(3))
    expected = full_order(20).tolist()
    for place in reversed(range(20)):
        if expected[place] in (3, 8, 15):
            expected[place] = expected[(place + 1) % 20]
    with caplog.at_level(logging.WARNING):
        assert sum(labels(data, 0), []) == expected
        list(data.epoch(1))
    assert sorted(data.bad.numbers) == [3, 8, 15]
    assert data.bad.numbers == [number for number in full_order(20) if number in (3, 8, 15)]
    assert len(caplog.records) == 3, 'each is logged once'
    offset = with_three_bad.offset(data.bad.numbers[0])
    assert f'record {data.bad.numbers[0]} at offset {offset}: a damaged image' in caplog.messages[0]
    assert '(1 of at most 3)' in caplog.messages[0]


def test_one_bad_image_more_than_the_limit_ends_the_run(with_three_bad):
    data = loader(with_three_bad, 5, bad=BadRecords(2))
    with pytest.raises(DataError, match=r'record \d+ at offset \d+: .*one bad record more than --max-bad-records 2'):
        for epoch in range(2):
            list(data.epoch(epoch))
    assert len(data.bad.numbers) == 2


def test_a_resumed_run_continues_counting(with_three_bad):
    data = loader(with_three_bad, 5, bad=BadRecords(3, [3, 8]))
    list(data.epoch(0))
    assert data.bad.numbers == [3, 8, 15]


@pytest.mark.parametrize('limit', [0, 2, 100])
def test_a_file_of_bad_images(tmp_path, limit):
    records = write(tmp_path / 'bad.rec', [b'no image'] * 4)
    with pytest.raises(DataError):
        list(loader(records, 2, bad=BadRecords(limit)).epoch(0))


def test_a_file_that_is_truncated_while_it_is_read(numbered, tmp_path):
    records = write(tmp_path / 'cut.rec', numbered_images(20))
    with open(records.path, 'r+b') as file:
        file.truncate(records.offset(10) + 4)
    data = loader(records, 4, bad=BadRecords(10))
    assert sorted(set(sum(labels(data, 0), []))) == list(range(10))
    assert sorted(data.bad.numbers) == list(range(10, 20))
    with pytest.raises(DataError, match='cannot be read any more'):
        list(loader(records, 20).epoch(0))

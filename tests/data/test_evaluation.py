"""Evaluation batches contain each record exactly once."""

import mxnet as mx
import numpy as np
import pytest
from records import BAD_IMAGES, write_numbered, write_with_bad_image

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.evaluation import check_images, evaluation_batches
from gluon_cbam.data.loading.preprocessing import Preprocessing

PLAIN = Preprocessing(8, 1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.fixture(scope='module')
def numbered(tmp_path_factory):
    return write_numbered(tmp_path_factory.mktemp('numbered'))


@pytest.fixture(params=BAD_IMAGES)
def with_bad_image(request, tmp_path):
    return write_with_bad_image(tmp_path, request.param)


def numbers(images):
    return np.round(images[:, 0, 4, 4] * 255 / 5).astype(int).tolist()


@pytest.mark.parametrize('batch_size', [1, 7, 16, 50, 64])
def test_every_record_once_in_every_pass(numbered, batch_size):
    for _ in range(3):
        batches = list(evaluation_batches(numbered, batch_size, PLAIN, workers=3))
        assert {batch.images.shape for batch in batches} == {(batch_size, 3, 8, 8)}
        assert [n for batch in batches for n in numbers(batch.images[: batch.count])] == list(range(50))
        assert np.concatenate([batch.labels for batch in batches]).tolist() == list(range(50))
        assert not batches[-1].images[batches[-1].count :].any()


@pytest.mark.parametrize('parts', [1, 3, 60])
def test_parts_of_all_processes_are_complete(numbered, parts):
    seen = []
    for rank in range(parts):
        for batch in evaluation_batches(numbered, 7, PLAIN, workers=2, numbers=range(rank, 50, parts)):
            assert numbers(batch.images[: batch.count]) == batch.labels.tolist()
            seen += batch.labels.tolist()
    assert sorted(seen) == list(range(50))


def test_a_bad_image_is_named(with_bad_image):
    message = rf'bad.rec: record 6 at offset {with_bad_image.offset(6)}: '
    with pytest.raises(DataError, match=message):
        list(evaluation_batches(with_bad_image, 4, PLAIN, workers=2))
    with pytest.raises(DataError, match=message) as caught:
        check_images(with_bad_image, workers=2)
    assert '\n' not in str(caught.value)


def passes(numbered, **arguments):
    """The number of images in each of two passes of a reused ImageRecordIter."""
    path = str(numbered.path)
    reader = mx.io.ImageRecordIter(
        path_imgrec=path,
        path_imgidx=path[:-4] + '.idx',
        data_shape=(3, 8, 8),
        batch_size=16,
        verbose=False,
        **arguments,
    )
    counts = []
    for _ in range(2):
        counts.append(sum(batch.data[0].shape[0] - batch.pad for batch in reader))
        reader.reset()
    return counts


def test_mxnets_reader_does_not_count_every_record_once(numbered):
    """No setting of a reused ImageRecordIter gives each record once: it skips records, or pads without reporting it."""
    assert passes(numbered, round_batch=False) == [64, 64]
    assert passes(numbered, round_batch=True) != [50, 50]

"""Shares of each class that are held out when a source is packed."""

from collections import Counter

import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.preparation.lists import make_lists
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.recordio import RecordFile

SIZES = {'a': 1, 'b': 2, 'c': 10, 'd': 21}


@pytest.fixture(scope='module')
def images(tmp_path_factory, write_image):
    """Classes of 1, 2, 10 and 21 different images."""
    root = tmp_path_factory.mktemp('splitting') / 'images'
    for label, (name, count) in enumerate(SIZES.items()):
        for number in range(count):
            write_image(root / name / f'{number:02}.png', 100 * label + number, 8, 8)
    return root


def packed(done):
    """Name of the file -> its bytes."""
    return {part.path.stem: part.path.read_bytes() for part in done}


@pytest.mark.parametrize('shuffle', [False, True])
def test_equal_to_lists(images, tmp_path, shuffle):
    options = dict(shuffle=shuffle, seed=7, val_ratio=0.2, test_ratio=0.1)
    at_once = pack(images, tmp_path / 'once', **options)
    lists = make_lists(images, tmp_path / 'x', **options)
    classes = tmp_path / 'classes.txt'  # the validation images have not all of them
    one_by_one = [pack(part.path, tmp_path / 'lists', root=images, classes_file=classes)[0] for part in lists]
    assert packed(at_once) == {name.rpartition('_')[2]: data for name, data in packed(one_by_one).items()}
    assert (tmp_path / 'once' / 'classes.txt').read_text() == 'a\nb\nc\nd\n'
    assert packed(pack(images, tmp_path / 'again', **options)) == packed(at_once)
    assert packed(pack(images, tmp_path / 'other', **{**options, 'seed': 8})) != packed(at_once)


def test_every_image_once_and_each_class_by_its_share(images, tmp_path):
    done = pack(images, tmp_path / 'rec', val_ratio=0.2, test_ratio=0.1)
    files = [RecordFile(part.path) for part in done]
    assert [part.path.name for part in done] == ['train.rec', 'val.rec', 'test.rec']
    counts = [Counter(file.labels.astype(int).tolist()) for file in files]
    assert [[count[label] for label in range(4)] for count in counts] == [[1, 2, 7, 15], [0, 0, 2, 4], [0, 0, 1, 2]]
    stored = Counter(file[number].image for file in files for number in range(len(file)))
    assert stored == Counter(path.read_bytes() for path in images.rglob('*.png'))
    assert [entry['label'] for entry in done.empty_of(done[1].path)] == ['a', 'b']


@pytest.mark.parametrize(('val_ratio', 'test_ratio'), [(0.6, 0), (0.5, 0.45), (0.9, 0.05)])
def test_each_class_keeps_a_training_image(images, tmp_path, val_ratio, test_ratio):
    done = pack(images, tmp_path / 'rec', val_ratio=val_ratio, test_ratio=test_ratio)
    assert np.array_equal(np.unique(RecordFile(done[0].path).labels), range(4))
    assert sum(part.records for part in done) == sum(SIZES.values())


def test_sources_that_choose_already(images, tmp_path):
    (tmp_path / 'both').mkdir()
    for name in ('train', 'Valid'):
        (tmp_path / 'both' / name).symlink_to(images)
    with pytest.raises(UsageError, match=r'both is split already .*: leave out --val-ratio'):
        pack(tmp_path / 'both', tmp_path / 'rec', val_ratio=0.2)
    make_lists(images, tmp_path / 'x.lst')
    with pytest.raises(UsageError, match='x.lst is a list, .*: leave out --val-ratio'):
        pack(tmp_path / 'x.lst', tmp_path / 'rec', root=images, test_ratio=0.2)
    for ratios in (dict(val_ratio=1.0), dict(val_ratio=-0.1), dict(val_ratio=float('nan'))):
        with pytest.raises(UsageError, match='a sum below 1'):
            pack(images, tmp_path / 'rec', **ratios)
    with pytest.raises(UsageError, match='leave none for val'):
        pack(images, tmp_path / 'rec', val_ratio=0.001)
    assert not (tmp_path / 'rec').exists()

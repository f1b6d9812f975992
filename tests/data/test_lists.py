"""Lists compared with MXNet's im2rec, packed by it and by us."""

from argparse import Namespace
from collections import Counter
from queue import Queue

import mxnet as mx
import pytest
from mxnet.tools import im2rec

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.lists import make_lists
from gluon_cbam.data.preparation.packing import pack


def rows(path):
    return [line.split('\t') for line in path.read_text().splitlines()]


@pytest.fixture
def many(tmp_path):
    """Classes of 10, 20 and 31 images; a list does not open them."""
    for name, count in (('a', 10), ('b', 20), ('c', 31)):
        (tmp_path / 'many' / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / 'many' / name / f'{number}.jpg').touch()
    return tmp_path / 'many'


def test_equals_im2rec(folders, tmp_path):
    root, _ = folders
    im2rec.make_list(
        Namespace(
            root=str(root),
            prefix=str(tmp_path / 'theirs'),
            recursive=True,
            exts=['.jpeg', '.jpg', '.png'],
            shuffle=False,
            chunks=1,
            train_ratio=1.0,
            test_ratio=0,
        )  # fmt: skip
    )
    (done,) = make_lists(root, tmp_path / 'ours.lst')
    assert done == (tmp_path / 'ours.lst', 6)
    assert done.path.read_text() == (tmp_path / 'theirs.lst').read_text()
    assert (tmp_path / 'classes.txt').read_text() == 'cat\ndog\nzebra\n'


def test_im2rec_packs_our_list_to_our_bytes(folders, tmp_path):
    root, _ = folders
    (listed,) = make_lists(root, tmp_path / 'mine')
    writer = mx.recordio.MXIndexedRecordIO(str(tmp_path / 'mine.idx'), str(tmp_path / 'mine.rec'), 'w')
    options, encoded = Namespace(root=str(root), pass_through=True, pack_label=False), Queue()
    for number, item in enumerate(im2rec.read_list(str(listed.path))):
        im2rec.image_encode(options, number, item, encoded)
        writer.write_idx(item[0], encoded.get()[1])
    writer.close()
    (done,) = pack(listed.path, tmp_path / 'out', root=root)
    assert done.path.read_bytes() == (tmp_path / 'mine.rec').read_bytes()
    assert done.path.with_suffix('.idx').read_bytes() == (tmp_path / 'mine.idx').read_bytes()


def test_shuffle(many, tmp_path):
    lists = [
        make_lists(many, tmp_path / f'{n}.lst', shuffle=True, seed=seed)[0].path for n, seed in enumerate([1, 1, 2])
    ]
    plain = make_lists(many, tmp_path / 'plain.lst')[0].path
    assert lists[0].read_text() == lists[1].read_text()
    assert len({path.read_text() for path in [*lists, plain]}) == 3
    assert sorted(rows(lists[0])) == sorted(rows(lists[2])) == sorted(rows(plain))


def test_split_by_class(many, tmp_path):
    done = make_lists(many, tmp_path / 'x', val_ratio=0.2, test_ratio=0.1, seed=3)
    assert [part.path.name for part in done] == ['x_train.lst', 'x_val.lst', 'x_test.lst']
    counts = [Counter(row[1] for row in rows(part.path)) for part in done]
    assert [[count[f'{label}.000000'] for label in range(3)] for count in counts] == [[7, 14, 22], [2, 4, 6], [1, 2, 3]]
    everything = [row for part in done for row in rows(part.path)]
    assert sorted(everything) == sorted(rows(make_lists(many, tmp_path / 'all.lst')[0].path))
    again = make_lists(many, tmp_path / 'y', val_ratio=0.2, test_ratio=0.1, seed=3)
    assert [part.path.read_text() for part in again] == [part.path.read_text() for part in done]


def test_two_parts(folders, tmp_path, contents):
    root, images = folders
    (tmp_path / 'both').mkdir()
    for name in ('train', 'val'):
        (tmp_path / 'both' / name).symlink_to(root)
    done = make_lists(tmp_path / 'both', tmp_path / 'x')
    assert [part.path.name for part in done] == ['x_train.lst', 'x_val.lst']
    (packed,) = pack(done[1].path, tmp_path / 'out', root=tmp_path / 'both')
    assert contents(packed.path) == list(images.values())
    with pytest.raises(UsageError, match='is split already'):
        make_lists(tmp_path / 'both', tmp_path / 'x', val_ratio=0.5)


def test_nothing_is_written_after_an_error(many, tmp_path):
    for ratios in (dict(val_ratio=1.0), dict(val_ratio=0.5, test_ratio=0.5), dict(val_ratio=-0.1)):
        with pytest.raises(UsageError, match='a sum below 1'):
            make_lists(many, tmp_path / 'out' / 'x', **ratios)
    with pytest.raises(UsageError, match='leave none for val'):
        make_lists(many, tmp_path / 'out' / 'x', val_ratio=0.001)
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'classes.txt').write_text('other\n')
    with pytest.raises(DataError, match='classes.txt names other classes'):
        make_lists(many, tmp_path / 'out' / 'x')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['classes.txt']


def test_a_folder_is_no_list(many, tmp_path):
    with pytest.raises(UsageError, match=r"got the folder .*lists/': give for instance .*lists/images\.lst'"):
        make_lists(many, f'{tmp_path}/lists/')
    assert [path.name for path in tmp_path.iterdir()] == ['many']

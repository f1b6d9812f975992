"""The layouts of image folders, lists and tar files."""

import tarfile

import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.layouts import LAYOUTS, read_source

SYNSETS = ['n02', 'n03', 'n01']


@pytest.fixture
def imagenet(tmp_path, write_image):
    """A small ImageNet: train/ with class folders, a flat val/, and its labels in the order of the kit."""
    root = tmp_path / 'imagenet'
    for number, name in enumerate(sorted(SYNSETS)):
        write_image(root / 'train' / name / f'{name}_1.JPEG', number)
    truth = [3, 1, 1, 2]  # n01, n02, n02, n03
    images = [write_image(root / 'val' / f'ILSVRC2012_val_{n:08}.JPEG', 10 + n) for n in range(1, 5)]
    (tmp_path / 'truth.txt').write_text(''.join(f'{number}\n' for number in truth))
    (tmp_path / 'synsets.txt').write_text(''.join(f'{name}\n' for name in SYNSETS))
    return root, list(zip([0, 1, 1, 2], images))


def labels_of(path):
    return RecordFile(path).labels.tolist()


def test_flat_validation_images(imagenet, tmp_path, contents):
    root, expected = imagenet
    options = dict(labels=tmp_path / 'truth.txt', classes_file=tmp_path / 'synsets.txt')
    (done,) = pack(root / 'val', tmp_path / 'flat', **options)
    assert done.path.name == 'val.rec'
    assert contents(done.path) == expected
    train, val = pack(root, tmp_path / 'both', **options)
    assert labels_of(train.path) == [0, 1, 2]
    assert contents(val.path) == expected
    for folder in ('flat', 'both'):
        assert (tmp_path / folder / 'classes.txt').read_text() == 'n01\nn02\nn03\n'


@pytest.mark.parametrize('name', ['val.tar', 'val.tar.gz'])
def test_validation_tar(imagenet, tmp_path, contents, name):
    """The order in the tar file differs from the order of the names, to which the label file refers."""
    root, expected = imagenet
    with tarfile.open(tmp_path / name, 'w:gz' if name.endswith('gz') else 'w') as tar:
        for path in sorted((root / 'val').iterdir(), reverse=True):
            tar.add(path, path.name)
    options = dict(labels=tmp_path / 'truth.txt', classes_file=tmp_path / 'synsets.txt')
    (done,) = pack(tmp_path / name, tmp_path / 'out', **options)
    assert contents(done.path) == (expected if name == 'val.tar' else expected[::-1])


def test_train_and_val_packed_one_after_the_other_agree(imagenet, tmp_path):
    root, _ = imagenet
    pack(root / 'train', tmp_path / 'out')
    (tmp_path / 'other.txt').write_text('n01\nn02\nn04\n')
    with pytest.raises(DataError, match='classes.txt names other classes'):
        pack(root / 'val', tmp_path / 'out', labels=tmp_path / 'truth.txt', classes_file=tmp_path / 'other.txt')
    assert not (tmp_path / 'out' / 'val.rec').exists()
    pack(root / 'val', tmp_path / 'out', labels=tmp_path / 'truth.txt', classes_file=tmp_path / 'synsets.txt')
    assert labels_of(tmp_path / 'out' / 'val.rec') == [0, 1, 1, 2]


def test_a_subset_of_the_classes_keeps_their_indices(imagenet, tmp_path):
    root, _ = imagenet
    part = tmp_path / 'part'
    part.mkdir()
    (part / 'n03').symlink_to(root / 'train' / 'n03')
    (done,) = pack(part, tmp_path / 'out', classes_file=tmp_path / 'synsets.txt')
    assert labels_of(done.path) == [2]
    (part / 'n04').mkdir()
    with pytest.raises(DataError, match='n04: a class that .*synsets.txt does not have'):
        pack(part, tmp_path / 'out', classes_file=tmp_path / 'synsets.txt')


def test_path_label_lists(imagenet, tmp_path, contents):
    """DeepSparkHub's layout; the folders next to the lists are ignored."""
    root, expected = imagenet
    names = sorted(path.name for path in (root / 'val').iterdir())
    (root / 'train_list.txt').write_text('train/n03/n03_1.JPEG 2\ntrain/n01/n01_1.JPEG 0\n')
    (root / 'val_list.txt').write_text(''.join(f'val/{name} {label}\n' for name, (label, _) in zip(names, expected)))
    assert read_source(root).layout == 'train_list.txt and val_list.txt'
    train, val = pack(root, tmp_path / 'out')
    assert (train.path.name, val.path.name) == ('train.rec', 'val.rec')
    assert labels_of(train.path) == [2, 0]
    assert contents(val.path) == expected
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'n01\n1\nn03\n'
    (one,) = pack(root / 'val_list.txt', tmp_path / 'one')
    assert one.path.name == 'val.rec'
    assert contents(one.path) == expected
    (root / 'val_list.txt').write_text('train/n02/n02_1.JPEG 0\n')
    with pytest.raises(DataError, match="label 0 is 'n01' in .*train_list.txt and 'n02' in .*val_list.txt"):
        pack(root, tmp_path / 'out')


def test_a_list_of_a_tar(imagenet, tmp_path, contents):
    root, expected = imagenet
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(root / 'val', 'val')
    (tmp_path / 'x.lst').write_text(
        '0\t7\tval/ILSVRC2012_val_00000003.JPEG\n1\t5\t9\tval/ILSVRC2012_val_00000001.JPEG\n'
    )
    (done,) = pack(tmp_path / 'x.lst', tmp_path / 'out', root=tmp_path / 'a.tar', all_labels=True)
    assert contents(done.path) == [(7, expected[2][1]), (5, expected[0][1])]
    assert RecordFile(done.path)[1].labels.tolist() == [5, 9]
    (tmp_path / 'x.lst').write_text('0\t7\tval/ILSVRC2012_val_00000009.JPEG\n')
    with pytest.raises(DataError, match="a.tar: it has no image 'val/ILSVRC2012_val_00000009.JPEG'"):
        pack(tmp_path / 'x.lst', tmp_path / 'out', root=tmp_path / 'a.tar')


def test_shuffle(imagenet, tmp_path, contents):
    root, expected = imagenet
    packed = []
    for name, seed in (('a', 1), ('b', 1), ('c', 3)):
        options = dict(labels=tmp_path / 'truth.txt', classes_file=tmp_path / 'synsets.txt')
        (done,) = pack(root / 'val', tmp_path / name, shuffle=True, seed=seed, workers=2, **options)
        packed.append(contents(done.path))
    assert packed[0] == packed[1] != packed[2]
    assert all(sorted(part) == sorted(expected) and part != expected for part in packed)


def test_contradictions(imagenet, tmp_path):
    root, _ = imagenet
    truth = tmp_path / 'truth.txt'
    for source, options, message in (
        (root, {}, 'val/ has no class folders: name the classes of its images with --labels'),
        (root / 'train', {'labels': truth}, 'its images are in 3 class folders: leave out --labels'),
        (root / 'val', {}, 'no images .* in the class folders of'),
        (root / 'train', {'root': root}, "has the layout 'class folders': leave out --root"),
        (root / 'val', {'labels': tmp_path / 'none'}, 'no label file'),
        (tmp_path / 'none.tar', {}, 'no folder, tar file or list'),
    ):
        with pytest.raises(UsageError, match=message):
            pack(source, tmp_path / 'out', **options)
    (tmp_path / 'x.lst').write_text('0\t1\ta.png\n')
    with pytest.raises(UsageError, match="has the layout 'a list': leave out --labels"):
        pack(tmp_path / 'x.lst', tmp_path / 'out', labels=truth)
    assert not (tmp_path / 'out').exists()
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


def test_a_list_of_a_compressed_tar(tmp_path):
    (tmp_path / 'x.lst').write_text('0\t1\ta.png\n')
    (tmp_path / 'a.tgz').touch()
    with pytest.raises(UsageError, match='cannot choose from a compressed tar file'):
        pack(tmp_path / 'x.lst', tmp_path / 'out', root=tmp_path / 'a.tgz')

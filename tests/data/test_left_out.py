"""What a source holds besides its images: it is left out, counted by kind and named, by every command alike."""

import io
import json
import os
import tarfile
from itertools import islice

import cv2
import numpy as np
import pytest
from odd_images import READABLE, pillow
from PIL import Image

from gluon_cbam.common.errors import DataError, TransferError, UsageError
from gluon_cbam.data.decoding import FORMATS, decode
from gluon_cbam.data.preparation.lists import make_lists
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.folder_walk import walk
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.data.sources.layouts import read_source
from gluon_cbam.data.sources.left_out import LeftOut

PNG = READABLE['plain.png']
USED = ['cat/a.png', 'cat/deep/b.JPG', 'dog/c.jfif', 'dog/d.webp', 'dog/e.gif', 'dog/f.tif', 'dog/g.JPE', 'dog/h.TIFF']
JUNK = ['._a.png', 'Thumbs.db', '.DS_Store', 'desktop.ini', '__MACOSX/cat/._a.png', 'dog/@eaDir/c.jfif']
OTHER = {
    'beside_classes': ['beside.png'],
    'unknown': ['notes.txt', 'cat/labels.csv', 'cat/archive.zip'],
    'hidden': ['cat/.hidden.png', '.git/x.png'],
    'junk': JUNK + ['dog/THUMBS.DB'],
}
COUNTS = {kind: len(names) for kind, names in OTHER.items()}
FIRST = {'beside_classes': 'beside.png', 'unknown': 'notes.txt', 'hidden': '.git/', 'junk': '.DS_Store'}


def write(root, names, content=PNG):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def odd(tmp_path):
    """Class folders with files of many kinds, and a class without images."""
    root = write(tmp_path / 'odd', [*USED, *(name for names in OTHER.values() for name in names)])
    (root / 'empty').mkdir()
    return root


def names_of(source):
    return [source.parts[0].image(number) for number in range(len(source.parts[0]))]


def test_a_folder(odd):
    source = read_source(odd)
    assert names_of(source) == sorted(USED, key=lambda name: (os.path.dirname(name), name))
    assert source.left_out.counts == source.parts[0].left_out.counts == COUNTS
    assert {kind: first for kind, _, first in source.left_out.items()} == FIRST
    assert source.classes == ['cat', 'dog', 'empty']


@pytest.mark.parametrize('name', ['odd.tar', 'odd.tar.gz', 'wrapped.tar'])
def test_a_tar_file_of_it(odd, tmp_path, name):
    """As the folder: the same images, classes and counts, also below a folder of its own."""
    wrapped = name == 'wrapped.tar'
    with tarfile.open(tmp_path / name, 'w:gz' if name.endswith('gz') else 'w') as tar:
        tar.add(odd, 'images' if wrapped else '.')
    found, expected = read_source(tmp_path / name), read_source(odd)
    assert sorted(names_of(found)) == sorted(f'images/{image}' if wrapped else image for image in names_of(expected))
    assert (found.classes, found.left_out.counts) == (expected.classes, expected.left_out.counts)
    assert found.left_out.first['beside_classes'].endswith('beside.png')


def test_links_pipes_and_tar_files_in_a_tar_file(odd, tmp_path):
    with tarfile.open(tmp_path / 'inner.tar', 'w') as tar:
        tar.add(odd / 'dog' / 'c.jfif', './x.png')
        tar.add(odd / 'notes.txt', 'notes.txt')
    with tarfile.open(tmp_path / 'none.tar', 'w'):
        pass
    with tarfile.open(tmp_path / 'set.tar', 'w') as tar:
        for name, kind in (
            ('a/link.png', tarfile.SYMTYPE),
            ('a/hard.png', tarfile.LNKTYPE),
            ('a/pipe', tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, 'a/1.png'
            tar.addfile(info)
        tar.add(odd / 'beside.png', 'a/1.png')
        for name in ('a', 'c', '__MACOSX/._c'):
            tar.add(tmp_path / 'inner.tar', f'{name}.tar')
        tar.add(odd / 'notes.txt', '._c.tar')  # no tar file, whatever its name says
        tar.add(tmp_path / 'none.tar', 'b.tar')
    source = read_source(tmp_path / 'set.tar')
    assert source.left_out.counts == {'links': 2, 'special': 1, 'unknown': 2, 'junk': 2}
    assert (source.classes, names_of(source)) == (['a', 'b', 'c'], ['a/1.png', 'a/x.png', 'c/x.png'])


def test_splits_in_a_tar_file(tmp_path):
    write(tmp_path / 'set', ['Train/a/1.png', 'Validation/a/2.png', '__MACOSX/Train/a/._1.png'])
    with tarfile.open(tmp_path / 'set.tar', 'w') as tar:
        tar.add(tmp_path / 'set', 'images')
    done = pack(tmp_path / 'set.tar', tmp_path / 'rec')
    assert [part.path.name for part in done] == ['train.rec', 'val.rec']
    assert done.left_out.counts == {'junk': 1}


def test_prediction_takes_what_is_packed(odd):
    """And the images beside the class folders, as it needs no classes."""
    found = [os.path.relpath(image.file, odd) for image in open_images([str(odd)])]
    assert found == ['beside.png', 'cat/a.png', 'cat/deep/b.JPG', *(name for name in USED if name.startswith('dog'))]


def test_prediction_counts_what_is_packed_too(odd):
    """Besides the images beside the class folders, which it uses."""
    found = LeftOut()
    images = open_images([str(odd)], left_out=found)
    assert not found.counts, 'folders are listed when the iterator reaches them'
    assert len(list(images)) == len(USED) + 1
    assert found.counts == {kind: count for kind, count in COUNTS.items() if kind != 'beside_classes'}
    assert found.first == {kind: str(odd / FIRST[kind]) + '/' * FIRST[kind].endswith('/') for kind in found.counts}


def test_summaries_agree(odd, tmp_path, cbam_here):
    packed = json.loads(cbam_here('data', 'pack', odd, tmp_path / 'rec', '--json').stdout)
    listed = json.loads(cbam_here('data', 'list', odd, tmp_path / 'lists' / 'x', '--json').stdout)
    assert packed['left_out'] == listed['left_out']
    assert packed['left_out'] == {kind: {'count': COUNTS[kind], 'first': FIRST[kind]} for kind in COUNTS}
    (file,), (part,) = packed['files'], listed['lists']
    assert file['records'] == part['images'] == len(USED) == len(RecordFile(tmp_path / 'rec' / 'train.rec'))
    assert file['other_files'] == sum(COUNTS.values())
    assert file['empty_classes'] == part['empty_classes'] == [{'class': 2, 'label': 'empty'}]
    text = cbam_here('data', 'pack', odd, tmp_path / 'again').stdout
    for kind, first in FIRST.items():
        (line,) = (line for line in text.splitlines() if first in line)
        assert line.startswith(f'left out: {COUNTS[kind]} '), kind
    assert 'train.rec has no image of class 2 (empty), which keeps its number' in text


def test_a_class_without_images_keeps_the_numbers_of_the_others(tmp_path):
    """As with a file of classes, so that labels of two packs mean the same."""
    root = write(tmp_path / 'images', ['a/1.png', 'c/1.png'])
    (root / 'b').mkdir()
    (tmp_path / 'classes').write_text('c\nb\na\n')
    done = pack(root, tmp_path / 'one')
    other = pack(root, tmp_path / 'two', classes_file=tmp_path / 'classes')
    for packed in (done, other):
        assert RecordFile(packed[0].path).labels.tolist() == [0, 2]
        assert packed.empty_of(packed[0].path) == [{'class': 1, 'label': 'b'}]
    assert (tmp_path / 'one' / 'classes.txt').read_text() == (tmp_path / 'two' / 'classes.txt').read_text()


@pytest.mark.parametrize(
    ('train', 'val', 'test'),
    [
        ('train', 'val', 'test'), ('Train', 'Val', 'TEST'), ('training', 'valid', 'testing'),
        ('TRAINING', 'Validation', 'Test'),
    ],
)  # fmt: skip
def test_splits_by_their_usual_names(tmp_path, train, val, test):
    root = write(tmp_path / 'images', [f'{train}/a/1.png', f'{train}/b/2.png', f'{val}/b/3.png', f'{test}/a/4.png'])
    write(root, ['spare/a/5.png', '6.png', f'{val}/7.png'])
    done = pack(root, tmp_path / 'rec')
    assert [(part.path.name, RecordFile(part.path).labels.tolist()) for part in done] == [
        ('train.rec', [0, 1]), ('val.rec', [1]), ('test.rec', [0]),
    ]  # fmt: skip
    assert done.left_out.counts == {'outside_splits': 2, 'beside_classes': 1}
    assert [part.path.name for part in make_lists(root, tmp_path / 'x')] == ['x_train.lst', 'x_val.lst', 'x_test.lst']


def test_two_folders_for_one_split(tmp_path):
    root = write(tmp_path / 'images', ['train/a/1.png', 'Training/a/2.png'])
    with pytest.raises(UsageError, match=r'images/Training and .*images/train are both for the train split'):
        pack(root, tmp_path / 'rec')
    assert not (tmp_path / 'rec').exists()


@pytest.mark.parametrize(
    ('names', 'told'),
    [
        (['data/train/a/1.png', 'data/val/a/2.png'], 'data has train/ and val/'),
        (['data/Train/a/1.png', 'data/Train/b/2.png'], 'data has Train/'),
        (['cat/train/1.png', 'cat/test/2.png', 'dog/3.png'], 'cat has train/ and test/'),
    ],
)
def test_splits_below_a_class_folder_are_not_mixed(tmp_path, names, told):
    root = write(tmp_path / 'images', names)
    for read in (lambda: pack(root, tmp_path / 'rec'), lambda: make_lists(root, tmp_path / 'list' / 'x')):
        with pytest.raises(UsageError, match=rf'images/{told}, so it is no folder of one class: pack it on its own$'):
            read()
    assert not (tmp_path / 'rec').exists() and not list(tmp_path.glob('list/*'))


def test_a_folder_in_a_class_may_have_the_name_of_a_split(tmp_path):
    root = write(tmp_path / 'images', ['vehicle/train/1.png', 'vehicle/bus/2.png', 'animal/3.png'])
    assert read_source(root).classes == ['animal', 'vehicle']


def test_a_test_set_without_labels(tmp_path):
    root = write(tmp_path / 'images', ['train/a/1.png', 'train/b/2.png', 'test/3.png', 'test/4.png'])
    done = pack(root, tmp_path / 'rec')
    assert [part.path.name for part in done] == ['train.rec']
    assert done.left_out.as_dict() == {'unlabeled': {'count': 2, 'first': 'test/3.png'}}


@pytest.mark.parametrize('names', [('valid', 'invalid'), ('train', 'bus'), ('test', 'control')])
def test_classes_with_the_name_of_a_split(tmp_path, names):
    """Beside other folders of images, a folder without class folders is a class."""
    root = write(tmp_path / 'images', [f'{name}/1.png' for name in names])
    assert read_source(root).classes == sorted(names)


def test_a_loop_of_links_ends(tmp_path):
    """Links to a parent, to the source, above it, to themselves, and to each other."""
    root = write(tmp_path / 'set' / 'images', ['a/1.png', 'b/2.png', 'b/c/3.png'])
    for link, target in (('a/up', '..'), ('b/above', '../..'), ('b/c/root', root), ('b/self', '.'), ('a/x', 'x')):
        (root / link).symlink_to(target, target_is_directory=True)
    assert len(list(islice(walk(root), 100))) < 100
    done = pack(root, tmp_path / 'rec')
    assert done[0].records == 3
    assert done.left_out.counts == {'loops': 4, 'links': 1}
    assert len(list(open_images([str(root)]))) == 3
    assert len(list(open_images([str(root / 'a')]))) == 1


def test_results_below_the_source_are_no_class(tmp_path):
    root = write(tmp_path / 'images', ['a/1.png', 'b/2.png'])
    for _ in range(2):
        done = pack(root, root / 'rec')
        assert (done[0].records, done.left_out.total) == (2, 0)
    assert (root / 'rec' / 'classes.txt').read_text() == 'a\nb\n'


def test_links_to_other_folders_are_followed(tmp_path):
    root = write(tmp_path / 'images', ['a/1.png'])
    write(tmp_path / 'store', ['2.png'])
    for name in ('b', 'c'):
        (root / name).symlink_to(tmp_path / 'store')
    (tmp_path / 'store' / 'back').symlink_to(root)  # a loop that leads through a link
    (root / 'a' / 'gone.png').symlink_to('none')
    with pytest.raises(DataError, match=r'1 of 4 images cannot be packed: .*gone.png \(No such file'):
        pack(root, tmp_path / 'rec')
    done = pack(root, tmp_path / 'rec', skip_bad=True)
    assert RecordFile(done[0].path).labels.tolist() == [0, 1, 2]
    assert done.left_out.counts == {'loops': 2}


def test_many_levels_of_folders(tmp_path):
    path = tmp_path / 'images'
    for _ in range(300):
        path = path / 'a'
    path.mkdir(parents=True)
    (path / 'x.png').write_bytes(PNG)
    assert sum(kind == 'image' for kind, _ in walk(tmp_path / 'images')) == 1


def test_what_is_no_regular_file(tmp_path):
    root = write(tmp_path / 'images', ['a/1.png'])
    os.mkfifo(root / 'a' / 'pipe.png')
    assert read_source(root).left_out.counts == {'special': 1}
    assert len(list(open_images([str(root)]))) == 1


def test_a_folder_that_cannot_be_read_is_an_error(odd, tmp_path, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith('deep'):
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(TransferError, match='odd/cat/deep: the folder cannot be read'):
        pack(odd, tmp_path / 'rec')
    assert not (tmp_path / 'rec').exists()


def test_formats_that_readers_of_records_do_not_know_become_png(tmp_path):
    """By their content, not by their names: a WebP may have the name of a JPEG."""
    images = {name: READABLE[name] for name in READABLE if name != 'deep.png'}
    images['named.jpg'], images['named.png'] = READABLE['animated.webp'], READABLE['turned.jpg']
    for name, image in images.items():
        write(tmp_path / 'images', [f'a/{name}'], image)
    (done,) = pack(tmp_path / 'images', tmp_path / 'rec')
    records = RecordFile(done.path)
    converted = 0
    for number, name in enumerate(sorted(images)):
        kept = Image.open(io.BytesIO(images[name])).format in ('JPEG', 'PNG', 'BMP')
        stored = records[number].image
        assert (stored == images[name]) == kept, name
        assert cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR) is not None
        if not kept:
            assert stored[:4] == b'\x89PNG'
            assert np.array_equal(pillow(stored), decode(images[name], name)), name
            converted += 1
    assert done.converted == converted >= 4
    assert {ending for row in FORMATS for ending in row.endings} >= {'.jfif', '.jpe', '.webp', '.gif', '.tif', '.tiff'}


@pytest.mark.parametrize('name', ['a\nb', 'a\rb', '\x1b[31m', os.fsdecode(b'caf\xe9'), ' cat', 'a\u2028b'])
def test_classes_that_a_line_cannot_hold(tmp_path, name):
    root = write(tmp_path / 'images', [f'{name}/1.png', 'b/1.png'])
    for command in (pack, make_lists):
        with pytest.raises(DataError, match='cannot be a line of classes.txt') as caught:
            command(root, tmp_path / 'rec')
        assert '\n' not in str(caught.value)
    assert not (tmp_path / 'rec').exists()


def test_names_in_lists(tmp_path, contents):
    """Any bytes but tabs and line breaks."""
    names = ['a/ü b.png', f'a/{os.fsdecode(bytes([0x63, 0xE9]))}.png', 'a/\x1b[31m.png', 'a/=1.png']
    root = write(tmp_path / 'images', names)
    (listed,) = make_lists(root, tmp_path / 'x')
    (packed,) = pack(listed.path, tmp_path / 'rec', root=root)
    assert contents(packed.path) == [(0, PNG)] * 4
    for name in ('a\tb.png', 'a\nb.png'):
        write(root, [f'a/{name}'])
        with pytest.raises(DataError, match=r"images/a/a\\[tn]b.png' cannot be a line of a list"):
            make_lists(root, tmp_path / 'y')
        (root / 'a' / name).unlink()


def test_a_zero_byte_in_a_list(tmp_path):
    (tmp_path / 'x.lst').write_bytes(b'0\t1\ta.png\n1\t0\tb\0.png\n')
    with pytest.raises(DataError, match='x.lst: line 2 has a zero byte'):
        pack(tmp_path / 'x.lst', tmp_path / 'rec')
    (tmp_path / 'files').write_bytes(b'a.png\nb\0.png\n')
    image = list(open_images(files_from=str(tmp_path / 'files')))[1]
    with pytest.raises(DataError, match='line 2 of .*files has a zero byte'):
        image.decode()

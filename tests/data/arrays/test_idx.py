"""Files of MNIST's format as records, compared with what the tests wrote by struct."""

import gzip
import os
import shutil
import string
import struct
from pathlib import Path

import numpy as np
import pytest
from idx_files import TYPES, idx_bytes, write_idx, write_mnist

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.lists import make_lists
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.sources.arrays.idx_file import read_idx
from gluon_cbam.data.sources.arrays.known_sets import FASHION
from gluon_cbam.data.sources.arrays.sets import ArrayOptions

PACKAGE = Path('/usr/share/datasets/fashion-mnist')


@pytest.mark.parametrize('end', ['-idx{}-ubyte.gz', '-idx{}-ubyte', '.idx{}-ubyte'])
@pytest.mark.parametrize('place', ['', 'raw'])
def test_pixels_and_labels_are_kept(tmp_path, stored, end, place):
    found = write_mnist(tmp_path / 'mnist' / place, end=end)
    done = pack(tmp_path / 'mnist', tmp_path / 'out')
    assert [part.path.name for part in done] == ['train.rec', 'val.rec']
    for split, part in zip(('train', 't10k'), done):
        images, labels = stored(part.path)
        np.testing.assert_array_equal(images, found[split][0])
        assert labels == found[split][1].tolist()
    assert (tmp_path / 'out' / 'classes.txt').read_text() == '0\n1\n2\n'
    assert done.layout == 'IDX files' and not done.left_out.total


def test_the_copy_that_is_not_compressed_is_read_and_others_are_counted(tmp_path):
    write_mnist(tmp_path / 'mnist')
    write_mnist(tmp_path / 'mnist', end='-idx{}-ubyte')
    (tmp_path / 'mnist' / 'README').write_text('about')
    (tmp_path / 'mnist' / 'train-images-idx3-ubyte.gz').write_bytes(b'cut')
    assert pack(tmp_path / 'mnist', tmp_path / 'out').left_out.counts == {'unknown': 5}


@pytest.mark.parametrize('role', ['images-idx3', 'labels-idx1'])
def test_copies_that_differ_are_refused(tmp_path, role):
    write_mnist(tmp_path / 'mnist')
    write_mnist(tmp_path / 'mnist', end='-idx{}-ubyte')
    copy, first = (tmp_path / 'mnist' / f'train-{role}-ubyte{end}' for end in ('.gz', ''))
    write_idx(copy, 2 - np.minimum(read_idx(copy), 2))  # as of another set
    with pytest.raises(UsageError, match=f'{first} and {copy} are for the same split, and hold different numbers'):
        pack(tmp_path / 'mnist', tmp_path / 'out')
    first.unlink()
    assert len(pack(tmp_path / 'mnist', tmp_path / 'out')) == 2


@pytest.mark.parametrize('kind', TYPES)
@pytest.mark.parametrize('axes', [1, 2, 3, 4])
def test_every_type_and_number_of_axes(tmp_path, kind, axes):
    array = np.random.RandomState(1).randint(0, 100, (2, 3, 4, 5)[:axes]).astype(kind)
    np.testing.assert_array_equal(read_idx(write_idx(tmp_path / 'x', array)), array)


@pytest.mark.parametrize('axis', [1, 3])
@pytest.mark.parametrize('channels', [1, 3])
def test_channels_first_or_last(tmp_path, stored, axis, channels):
    write_mnist(tmp_path, counts=(('train', 4),))
    pixels = np.random.RandomState(2).randint(0, 256, (4, 5, 6, channels)).astype(np.uint8)
    write_idx(tmp_path / 'train-images-idx3-ubyte.gz', np.moveaxis(pixels, 3, axis))
    pack(tmp_path, tmp_path / 'out')
    np.testing.assert_array_equal(
        stored(tmp_path / 'out' / 'train.rec')[0], pixels if channels == 3 else pixels[..., 0]
    )


@pytest.mark.parametrize('shape', [(4,), (4, 9), (4, 3, 5, 3), (4, 5, 6, 2), (0, 5, 6), (4, 0, 6)])
def test_arrays_that_are_no_images_are_refused(tmp_path, shape):
    write_mnist(tmp_path, counts=(('train', 4),))
    path = write_idx(tmp_path / 'train-images-idx3-ubyte.gz', np.ones(shape, np.uint8))
    with pytest.raises(DataError, match=str(path)):
        pack(tmp_path, tmp_path / 'out')


@pytest.mark.parametrize('kind', ['i2', 'i4', 'f4', 'f8'])
def test_whole_numbers_of_another_type_are_pixels(tmp_path, stored, kind):
    images, _ = write_mnist(tmp_path, counts=(('train', 4),))['train']
    write_idx(tmp_path / 'train-images-idx3-ubyte.gz', images.astype(kind))
    pack(tmp_path, tmp_path / 'out')
    np.testing.assert_array_equal(stored(tmp_path / 'out' / 'train.rec')[0], images)


@pytest.mark.parametrize('values', [[-1, 5], [0, 256], [0, 0.5], [0, 7.5], [0, 1], [0, np.nan], [0, np.inf]])
def test_other_values_are_refused_unless_they_are_scaled(tmp_path, stored, values):
    write_mnist(tmp_path, counts=(('train', 4),))
    numbers = np.array(values * 30, 'f4').reshape(4, 3, 5)
    path = write_idx(tmp_path / 'train-images-idx3-ubyte.gz', numbers)
    with pytest.raises(DataError, match=str(path)):
        pack(tmp_path, tmp_path / 'out')
    finite = np.isfinite(values).all()
    for low, high in ((-1, 256), (0, 1)):
        options = ArrayOptions(value_range=(low, high))
        if finite and low <= min(values) and max(values) <= high:
            pack(tmp_path, tmp_path / 'out', arrays=options)
            expected = np.rint((numbers.astype('f8') - low) * 255 / (high - low))
            np.testing.assert_array_equal(stored(tmp_path / 'out' / 'train.rec')[0], expected)
        else:
            with pytest.raises(DataError, match='finite|outside'):
                pack(tmp_path, tmp_path / 'out2', arrays=options)
    for wrong in ((1, 0), (0, 0), (0, np.inf), (np.nan, 1)):
        with pytest.raises(UsageError, match='--value-range takes'):
            pack(tmp_path, tmp_path / 'out3', arrays=ArrayOptions(value_range=wrong))


def _cut(content):
    return content[:-1]


DAMAGES = {
    'cut': _cut,
    'cut in the header': lambda content: content[:10],
    'empty': lambda content: b'',
    'more': lambda content: content + b'x',
    'magic': lambda content: b'\0\1' + content[2:],
    'type': lambda content: content[:2] + b'\x0a' + content[3:],
    'no axes': lambda content: content[:3] + b'\0' + content[4:],
    'text': lambda content: b'<!DOCTYPE html><html>not found</html>',
    'size': lambda content: content[:4] + b'\xff' * 12 + content[16:],
}


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('damage', DAMAGES)
def test_damage(tmp_path, damage, compressed):
    write_mnist(tmp_path / 'mnist', end='-idx{}-ubyte')
    path = tmp_path / 'mnist' / 'train-images-idx3-ubyte'
    content = DAMAGES[damage](path.read_bytes())
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataError, match=f'{path}: ') as caught:
        pack(tmp_path / 'mnist', tmp_path / 'out')
    assert '\n' not in str(caught.value) and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('damage', ['cut', 'checksum', 'garbage'])
def test_damage_of_gzip(tmp_path, damage):
    write_mnist(tmp_path)
    path = tmp_path / 't10k-images-idx3-ubyte.gz'
    whole = path.read_bytes()
    path.write_bytes(
        {'cut': whole[:-12], 'checksum': whole[:-8] + b'????' + whole[-4:], 'garbage': whole + b'x'}[damage]
    )
    with pytest.raises(DataError, match=f'{path}: a damaged IDX file'):
        pack(tmp_path, tmp_path / 'out')


def test_a_file_that_expands_to_more_than_images_do(tmp_path):
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    write_mnist(tmp_path)
    path.write_bytes(gzip.compress(struct.pack('>4B3I', 0, 0, 8, 3, 2_000_000, 28, 28) + bytes(1000)))
    with pytest.raises(DataError, match='compressed bytes hold at most'):
        pack(tmp_path, tmp_path / 'out')


def test_files_that_do_not_fit_together(tmp_path):
    write_mnist(tmp_path / 'a')
    images, labels = (tmp_path / 'a' / f'train-{role}-ubyte.gz' for role in ('images-idx3', 'labels-idx1'))
    write_idx(labels, np.zeros(6, np.uint8))
    with pytest.raises(DataError, match=f'{images} holds 7 images and {labels} 6 labels'):
        pack(tmp_path / 'a', tmp_path / 'out')
    shutil.copy(images, labels)
    with pytest.raises(DataError, match='labels of 3 axes'):
        pack(tmp_path / 'a', tmp_path / 'out')
    labels.unlink()
    with pytest.raises(UsageError, match='has no file of labels beside it'):
        pack(tmp_path / 'a', tmp_path / 'out')
    write_mnist(tmp_path / 'b', counts=(('t10k', 3), ('test', 3)))
    with pytest.raises(UsageError, match='both for the val split'):
        pack(tmp_path / 'b', tmp_path / 'out')
    write_mnist(tmp_path / 'c', counts=(('nist', 3),))
    with pytest.raises(UsageError, match="'nist' is no split"):
        pack(tmp_path / 'c', tmp_path / 'out')


@pytest.mark.parametrize('labels', [[-1, 0, 1], [0, 0.5, 1], [0, np.nan, 1], [0, 2**25, 1]])
def test_labels_that_are_no_classes(tmp_path, labels):
    write_mnist(tmp_path, counts=(('train', 3),))
    path = write_idx(tmp_path / 'train-labels-idx1-ubyte.gz', np.array(labels, 'f8'))
    with pytest.raises(DataError, match=f'{path}: label . is .* and no class'):
        pack(tmp_path, tmp_path / 'out')


def test_labels_from_one_need_names(tmp_path, stored):
    write_mnist(tmp_path, first=1)
    with pytest.raises(UsageError, match=r'labels in 1\.\.3 do not begin at 0'):
        pack(tmp_path, tmp_path / 'out')
    for names, expected in ((['x', 'y', 'z'], [0, 1, 2]), (['none', 'x', 'y', 'z'], [1, 2, 3])):
        (tmp_path / 'names.txt').write_text('\n'.join(names))
        out = tmp_path / str(len(names))
        pack(tmp_path, out, classes_file=tmp_path / 'names.txt')
        assert stored(out / 'train.rec')[1][:3] == expected
        assert (out / 'classes.txt').read_text().split() == names, 'in the order of the labels, not sorted'
    (tmp_path / 'names.txt').write_text('x\ny\n')
    with pytest.raises(DataError, match=r'labels in 1\.\.3 cannot be numbers of 2 classes'):
        pack(tmp_path, tmp_path / 'out', classes_file=tmp_path / 'names.txt')


@pytest.mark.parametrize('mapping', [True, False])
def test_letters_of_emnist(tmp_path, stored, mapping):
    prefix = 'emnist-letters-'
    found = write_mnist(tmp_path, (('train', 30), ('test', 26)), prefix=prefix, classes=26, first=1)
    if mapping:
        lines = [f'{n + 1} {65 + n} {97 + n}' for n in range(26)]
        (tmp_path / 'emnist-letters-mapping.txt').write_text('\n'.join(lines) + '\n')
    done = pack(tmp_path, tmp_path / 'out')
    images, labels = stored(tmp_path / 'out' / 'train.rec')
    np.testing.assert_array_equal(images, found['train'][0].transpose(0, 2, 1))
    assert labels == (found['train'][1] - 1).tolist()
    letters = string.ascii_uppercase
    names = [letter + letter.lower() for letter in letters] if mapping else list(letters)
    assert (tmp_path / 'out' / 'classes.txt').read_text().split() == names
    assert 'labels count from 1, class indices from 0' in done.notes and 'exchanged' in done.notes[0]
    pack(tmp_path, tmp_path / 'as_is', arrays=ArrayOptions(transpose=False))
    np.testing.assert_array_equal(stored(tmp_path / 'as_is' / 'val.rec')[0], found['test'][0])


@pytest.mark.parametrize(
    'text', ['', '0 48\n2 49\n', '2 50\n', '0 48\n0 49\n', '0 48\n1 48\n', '0\n', '0 x\n', '0 32\n', '0 1114112\n']
)
def test_a_mapping_that_is_none(tmp_path, text):
    write_mnist(tmp_path, prefix='emnist-digits-')
    (tmp_path / 'emnist-digits-mapping.txt').write_text(text)
    with pytest.raises(DataError, match='emnist-digits-mapping.txt: '):
        pack(tmp_path, tmp_path / 'out')


def test_a_file_chooses_among_several_sets(tmp_path, stored):
    write_mnist(tmp_path, (('train', 4), ('test', 3)), prefix='emnist-mnist-')
    letters = write_mnist(tmp_path, (('train', 5), ('test', 2)), prefix='emnist-letters-', first=1)
    with pytest.raises(UsageError, match="files of 2 sets \\('emnist-letters-', 'emnist-mnist-'\\): name one file"):
        pack(tmp_path, tmp_path / 'out')
    pack(tmp_path / 'emnist-letters-test-labels-idx1-ubyte.gz', tmp_path / 'out')
    np.testing.assert_array_equal(stored(tmp_path / 'out' / 'train.rec')[0], letters['train'][0].transpose(0, 2, 1))


def test_names_of_known_sets(tmp_path):
    for folder, first in (('FashionMNIST/raw', 'T-shirt/top'), ('kmnist', 'o'), ('mine', '0')):
        write_mnist(tmp_path / folder)
        pack(tmp_path / folder, tmp_path / 'out' / folder)
        assert (tmp_path / 'out' / folder / 'classes.txt').read_text().splitlines()[0] == first
    write_mnist(tmp_path / 'fashion_mnist', classes=7, counts=(('train', 22),))
    write_idx(tmp_path / 'fashion_mnist' / 'train-labels-idx1-ubyte.gz', np.arange(22, dtype=np.uint8))
    pack(tmp_path / 'fashion_mnist', tmp_path / 'more')
    assert (tmp_path / 'more' / 'classes.txt').read_text().splitlines() == [str(number) for number in range(22)]


def test_no_list_and_no_other_options(tmp_path):
    write_mnist(tmp_path)
    with pytest.raises(UsageError, match='its images are no files, which a list can name'):
        make_lists(tmp_path, tmp_path / 'out.lst')
    with pytest.raises(UsageError, match="has the layout 'IDX files': leave out --labels"):
        pack(tmp_path, tmp_path / 'out', labels=tmp_path / 'x')
    (tmp_path / 'images' / 'a').mkdir(parents=True)
    with pytest.raises(UsageError, match="has the layout 'class folders': leave out --transpose"):
        pack(tmp_path / 'images', tmp_path / 'out', arrays=ArrayOptions(transpose=False))


def test_a_pipe_is_no_data_set(tmp_path):
    os.mkfifo(str(tmp_path / 'train_32x32.mat'))
    with pytest.raises(UsageError, match='no folder or tar file'):
        pack(tmp_path / 'train_32x32.mat', tmp_path / 'out')


def test_splits_and_resizing(tmp_path, stored):
    found = write_mnist(tmp_path, counts=(('train', 30),))
    done = pack(tmp_path, tmp_path / 'out', val_ratio=0.2, shuffle=True, seed=3)
    assert [(part.path.name, part.records) for part in done] == [('train.rec', 24), ('val.rec', 6)]
    pairs = [(image.tobytes(), label) for part in done for image, label in zip(*stored(part.path))]
    images, labels = found['train']
    assert sorted(pairs) == sorted((image.tobytes(), label) for image, label in zip(images, labels.tolist()))
    pack(tmp_path, tmp_path / 'resized', resize=10)
    assert stored(tmp_path / 'resized' / 'train.rec')[0][0].shape[:2] == (10, 12)


def test_bytes_are_those_of_the_format(tmp_path):
    assert idx_bytes(np.array([[1, -2]], 'i2')) == b'\0\0\x0b\2\0\0\0\1\0\0\0\2\0\1\xff\xfe'


@pytest.mark.skipif(not PACKAGE.is_dir(), reason='the package dataset-fashion-mnist is not installed')
def test_fashion_mnist(tmp_path, stored):
    for split in ('train', 't10k'):  # the labels alone are recognized
        labels = PACKAGE / f'{split}-labels-idx1-ubyte.gz'
        shutil.copy(labels, tmp_path)
        count = len(gzip.decompress(labels.read_bytes())) - 8
        write_idx(tmp_path / f'{split}-images-idx3-ubyte', np.zeros((count, 2, 2), np.uint8))
    from gluon_cbam.data.sources.layouts import read_source

    found = read_source(tmp_path)
    assert found.classes == list(FASHION) and found.notes == ['classes: those of Fashion-MNIST']

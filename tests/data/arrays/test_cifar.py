"""CIFAR-10 and CIFAR-100 as records, compared with what the tests wrote, and with torchvision where it is installed."""

import pickle
import shutil

import numpy as np
import pytest
from cifar_files import COARSE, FINE, TEN, archived, python2_pickle, write_cifar

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.sources.arrays import cifar
from gluon_cbam.data.sources.arrays.sets import ArrayOptions

TEN_C, TEN_PYTHON = 'cifar-10-batches-bin', 'cifar-10-batches-py'
HUNDRED_C, HUNDRED_PYTHON = 'cifar-100-binary', 'cifar-100-python'
VERSIONS = [(TEN_C, None), (TEN_PYTHON, 2), (TEN_PYTHON, 3), (TEN_PYTHON, 4), (TEN_PYTHON, 5)]
VERSIONS += [(HUNDRED_C, None), (HUNDRED_PYTHON, 2), (HUNDRED_PYTHON, 4)]


@pytest.mark.parametrize(('folder', 'python'), VERSIONS)
@pytest.mark.parametrize('kind', ['folder', 'parent', '.tar.gz', '.tar'])
def test_every_version(tmp_path, stored, folder, python, kind):
    hundred = '100' in folder
    found = write_cifar(tmp_path / folder, hundred, python)
    source = {'folder': tmp_path / folder, 'parent': tmp_path}.get(kind)
    source = source or archived(tmp_path / folder, tmp_path / f'any name{kind}')
    for labels_of in ('fine', 'coarse') if hundred else (None,):
        out = tmp_path / f'out {labels_of}'
        done = pack(source, out, arrays=ArrayOptions(labels_of=labels_of))
        for part in done:
            images, labels = stored(part.path)
            expected = found[part.path.stem]
            np.testing.assert_array_equal(images, expected[0])
            assert labels == expected[2 if labels_of == 'coarse' else 1].tolist()
        names = {'fine': FINE, 'coarse': COARSE}.get(labels_of, TEN)
        assert (out / 'classes.txt').read_text().splitlines() == names
        assert [part.path.name for part in done] == ['train.rec', 'val.rec']
        assert any('the published set has 50000 train, 10000 val' in note for note in done.notes)


@pytest.mark.parametrize(('folder', 'python', 'ending'), [(TEN_PYTHON, 4, ''), (TEN_C, None, '.bin')])
def test_a_batch_that_is_shorter_than_the_published_ones_is_cut(tmp_path, monkeypatch, folder, python, ending):
    found = write_cifar(tmp_path / folder, python=python)
    cut = tmp_path / folder / f'data_batch_3{ending}'
    monkeypatch.setattr(cifar, '_BATCH', len(found['train'][0]) // 5)
    pack(tmp_path, tmp_path / 'whole')
    if python:
        batch = pickle.loads(cut.read_bytes())
        cut.write_bytes(pickle.dumps({'data': batch['data'][1:], 'labels': batch['labels'][1:]}, 4))
    else:
        cut.write_bytes(cut.read_bytes()[:-3073])
    with pytest.raises(DataError, match=f'{cut}: [0-9]+ images, and [0-9]+ in batches beside it: it is cut'):
        pack(tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    monkeypatch.undo()
    assert any('the published set has' in note for note in pack(tmp_path, tmp_path / 'out').notes), 'a made set'


def test_fortran_order(tmp_path, stored):
    found = write_cifar(tmp_path / TEN_PYTHON, python=4, fortran=True)
    pack(tmp_path, tmp_path / 'out')
    np.testing.assert_array_equal(stored(tmp_path / 'out' / 'train.rec')[0], found['train'][0])


def test_the_pickles_of_the_tests_are_those_of_python_2(tmp_path):
    values = {b'data': np.arange(600, dtype=np.uint8).reshape(2, 300), b'labels': [1, 2], b'names': [b'x']}
    read = pickle.loads(python2_pickle(values), encoding='bytes')
    np.testing.assert_array_equal(read[b'data'], values[b'data'])
    assert read[b'labels'] == [1, 2] and read[b'names'] == [b'x']


@pytest.mark.parametrize('hundred', [False, True])
def test_equal_to_torchvision(tmp_path, stored, hundred, monkeypatch):
    datasets = pytest.importorskip('torchvision.datasets')
    kind = datasets.CIFAR100 if hundred else datasets.CIFAR10
    monkeypatch.setattr(kind, '_check_integrity', lambda self: True)
    monkeypatch.setattr('torchvision.datasets.cifar.check_integrity', lambda path, md5: True)
    write_cifar(tmp_path / kind.base_folder, hundred, python=2)
    pack(tmp_path, tmp_path / 'out')
    for split in ('train', 'val'):
        theirs = kind(str(tmp_path), train=split == 'train')
        images, labels = stored(tmp_path / 'out' / f'{split}.rec')
        np.testing.assert_array_equal(images, theirs.data)
        assert labels == theirs.targets


class Hostile:
    """What runs a command where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f'touch {self.path}',)


@pytest.mark.parametrize('file', ['data_batch_3', 'batches.meta'])
@pytest.mark.parametrize('archive', [False, True])
def test_a_hostile_pickle_runs_nothing(tmp_path, file, archive):
    write_cifar(tmp_path / TEN_PYTHON, python=4)
    values = {'data': Hostile(tmp_path / 'ran'), 'labels': [], 'label_names': []}
    (tmp_path / TEN_PYTHON / file).write_bytes(pickle.dumps(values))
    source = archived(tmp_path / TEN_PYTHON, tmp_path / 'cifar-10-python.tar.gz') if archive else tmp_path
    with pytest.raises(DataError, match=rf"{file}: no pickle of plain data: it asks for '?(posix|nt)\.system'?"):
        pack(source, tmp_path / 'out')
    assert not (tmp_path / 'ran').exists() and not (tmp_path / 'out').exists()


ROWS = np.zeros((3, 3072), np.uint8)
BATCHES = {
    'no dictionary': [1],
    'no data': {'labels': [1, 2, 3]},
    'a list': {'data': [1, 2], 'labels': [1, 2, 3]},
    'short rows': {'data': ROWS[:, :-1], 'labels': [1, 2, 3]},
    'signed': {'data': ROWS.astype('i1'), 'labels': [1, 2, 3]},
    'wide': {'data': ROWS.astype('i4'), 'labels': [1, 2, 3]},
    'floats': {'data': ROWS.astype('f4'), 'labels': [1, 2, 3]},
    'objects': {'data': ROWS.astype(object), 'labels': [1, 2, 3]},
    'none': {'data': ROWS[:0], 'labels': []},
    'no labels': {'data': ROWS},
    'other labels': {'data': ROWS, 'labels': [1, 2.5, 3]},
    'few labels': {'data': ROWS, 'labels': [1, 2]},
    'negative labels': {'data': ROWS, 'labels': [1, 2, -3]},
    'high labels': {'data': ROWS, 'labels': [1, 2, 10]},
}


@pytest.mark.parametrize('kind', BATCHES)
def test_batches_that_are_none(tmp_path, kind):
    write_cifar(tmp_path, python=4)
    (tmp_path / 'data_batch_3').write_bytes(pickle.dumps(BATCHES[kind], protocol=4))
    with pytest.raises(DataError, match='data_batch_3: ') as caught:
        pack(tmp_path, tmp_path / 'out')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('cut', [1, 3073 * 7, 100])
def test_damaged_records(tmp_path, cut):
    write_cifar(tmp_path / TEN_C)
    path = tmp_path / TEN_C / 'data_batch_2.bin'
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=f'{path}: .* bytes are no whole number of records of 3073'):
        pack(tmp_path, tmp_path / 'out')


def test_a_cut_archive(tmp_path):
    write_cifar(tmp_path / HUNDRED_C, hundred=True)
    path = archived(tmp_path / HUNDRED_C, tmp_path / 'cifar-100-binary.tar.gz')
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=f'{path}: a damaged tar file'):
        pack(path, tmp_path / 'out')


@pytest.mark.parametrize('file', ['data_batch_4.bin', 'test_batch.bin'])
def test_a_missing_file(tmp_path, file):
    write_cifar(tmp_path / TEN_C)
    (tmp_path / TEN_C / file).unlink()
    with pytest.raises(DataError, match=f'{file} is missing'):
        pack(tmp_path, tmp_path / 'out')
    with pytest.raises(DataError, match=f'{file} is missing'):
        pack(archived(tmp_path / TEN_C, tmp_path / 'a.tar.gz'), tmp_path / 'out')


def test_names_and_options(tmp_path):
    write_cifar(tmp_path / TEN_C)
    with pytest.raises(UsageError, match="has the layout 'CIFAR-10 .binary.': leave out --labels-of"):
        pack(tmp_path, tmp_path / 'out', arrays=ArrayOptions(labels_of='fine'))
    (tmp_path / TEN_C / 'batches.meta.txt').write_text('cat\ncat\n')
    with pytest.raises(DataError, match='it names no classes, or one twice'):
        pack(tmp_path, tmp_path / 'out')
    shutil.rmtree(tmp_path / TEN_C)
    write_cifar(tmp_path / HUNDRED_C, hundred=True)
    with pytest.raises(UsageError, match="--labels-of is fine or coarse, got 'both'"):
        pack(tmp_path, tmp_path / 'out', arrays=ArrayOptions(labels_of='both'))


def test_a_folder_of_several_sets_is_refused(tmp_path):
    write_cifar(tmp_path / TEN_C)
    write_cifar(tmp_path / HUNDRED_C, hundred=True)
    expected = f'{tmp_path} holds CIFAR-10 .binary. and CIFAR-100 .binary.: give the folder or the archive of one alone'
    with pytest.raises(UsageError, match=expected):
        pack(tmp_path, tmp_path / 'out')
    assert len(pack(tmp_path / HUNDRED_C, tmp_path / 'out')) == 2

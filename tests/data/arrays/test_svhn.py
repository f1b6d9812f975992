"""SVHN's cropped digits as records, of files that scipy wrote."""

import numpy as np
import pytest
from scipy.io import savemat

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.preparation.packing import pack


def write(path, count=25, first=1, **others):
    random = np.random.RandomState(count)
    values = {'X': random.randint(0, 256, (32, 32, 3, count)).astype(np.uint8)}
    values['y'] = (np.arange(count) % 10 + first).astype(np.uint8)[:, None]
    values.update(others)
    savemat(str(path), values, do_compression=True)
    return values['X'], values['y'].ravel()


def test_the_files_of_a_folder(tmp_path, stored):
    written = {name: write(tmp_path / f'{name}_32x32.mat', count) for name, count in (('train', 25), ('test', 12))}
    written['extra'] = write(tmp_path / 'extra_32x32.mat', 11)
    done = pack(tmp_path, tmp_path / 'out')
    assert [part.path.name for part in done] == ['train.rec', 'val.rec', 'extra.rec']
    for part, (images, labels) in zip(done, (written['train'], written['test'], written['extra'])):
        packed, numbers = stored(part.path)
        for number, image in enumerate(packed):
            np.testing.assert_array_equal(image, images[:, :, :, number])
        assert numbers == [0 if label == 10 else label for label in labels]
    assert (tmp_path / 'out' / 'classes.txt').read_text().split() == [str(digit) for digit in range(10)]
    assert done.notes == ['label 10 is the digit 0, class 0']
    (only,) = pack(tmp_path / 'test_32x32.mat', tmp_path / 'one')
    assert (only.path.name, only.records) == ('val.rec', 12)


WRONG = {
    'gray': {'X': np.zeros((32, 32, 25), np.uint8)},
    'another order': {'X': np.zeros((25, 32, 32, 3), np.uint8)},
    'floats': {'X': np.zeros((32, 32, 3, 25))},
    'few labels': {'y': np.ones((24, 1), np.uint8)},
    'text': {'y': np.array(['a'])},
    'no array': {'X': 'x'},
    'digit 11': {'y': np.full((25, 1), 11, np.uint8)},
    'digit 0': {'y': np.zeros((25, 1), np.uint8)},
    'a half': {'y': np.full((25, 1), 1.5)},
}


@pytest.mark.parametrize('kind', WRONG)
def test_other_arrays_are_refused(tmp_path, kind):
    path = tmp_path / 'train_32x32.mat'
    write(path, **WRONG[kind])
    with pytest.raises(DataError, match=f'{path}: ') as caught:
        pack(tmp_path, tmp_path / 'out')
    assert '\n' not in str(caught.value) and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('damage', ['cut', 'text', 'empty', 'HDF5', 'changed'])
def test_damage(tmp_path, damage):
    path = tmp_path / 'train_32x32.mat'
    write(path)
    whole = path.read_bytes()
    header = whole[:124] + b'\0\2IM' + b'\x89HDF\r\n\x1a\n' + bytes(100)
    changed = whole[:5000] + bytes(50) + whole[5050:]
    contents = {'cut': whole[:-900], 'text': b'<html>' * 100, 'empty': b'', 'HDF5': header, 'changed': changed}
    path.write_bytes(contents[damage])
    with pytest.raises(DataError, match=f'{path}: no file of cropped digits of SVHN: '):
        pack(path, tmp_path / 'out')

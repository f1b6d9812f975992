"""Hostile .npz files: what their headers state is compared with what they hold before numpy allocates it."""

import io
import zipfile

import numpy as np
import pytest

from gluon_cbam.common import numpy_file
from gluon_cbam.common.errors import DataError
from gluon_cbam.convert.files import read_arrays


def npy(array, old=b'', new=b''):
    """The bytes of a member, with other text in its header."""
    file = io.BytesIO()
    np.save(file, array)
    data = file.getvalue()
    assert old in data
    return data.replace(old, new.ljust(len(old)), 1)


def write(path, *members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for number, data in enumerate(members):
            archive.writestr(f'{number}.npy', data)


ARRAY = np.arange(100_000, dtype='float32')
HOSTILE = {
    'another shape': (npy(ARRAY, b'(100000,)', b'(999999,)'), 'needs 3999996 bytes and has 400000'),
    'no shape': (npy(ARRAY, b'(100000,)', b'-1'), 'cannot be read'),
    'code': (npy(ARRAY, b'(100000,)', b'(exit(),)'), 'cannot be read'),
    'another type': (npy(ARRAY, b"'<f4'", b"'<Q9'"), 'TypeError'),
    'objects': (npy(np.array([{}])), 'Object arrays'),
    'no header': (b'text', 'is no array'),
    'a huge header': (b'\x93NUMPY\x02\x00\xff\xff\xff\x7f', 'a header of 2147483647 bytes'),
    'cut': (npy(ARRAY)[:-4], 'needs 400000 bytes and has 399996'),
}


@pytest.mark.parametrize('ending', ['npz', 'bin'])
@pytest.mark.parametrize('kind', HOSTILE)
def test_hostile_files(kind, ending, tmp_path):
    data, expected = HOSTILE[kind]
    path = tmp_path / f'net.{ending}'
    write(path, npy(ARRAY), data)
    with pytest.raises(DataError, match=expected) as caught:
        read_arrays(path)
    assert str(caught.value).startswith(f'{path}: not an .npz file of arrays: ')


def test_expansion(tmp_path, monkeypatch):
    monkeypatch.setattr(numpy_file, '_EXPANSION', 1 << 20)
    write(tmp_path / 'net.npz', npy(np.zeros(1 << 20)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match='that state to expand to'):
        read_arrays(tmp_path / 'net.npz')


def test_every_kind_of_array(tmp_path):
    arrays = {'a': np.float16([[1, 2]]), 'b': np.array(3), 'c': np.zeros((0, 4), '>i2'), 'd': np.eye(3).T}
    np.savez_compressed(tmp_path / 'net.npz', **arrays)
    read = read_arrays(tmp_path / 'net.npz')
    assert all(np.array_equal(read[name], value) and read[name].dtype == value.dtype for name, value in arrays.items())

"""PyTorch files: read as torch reads them, without torch, and without running their code."""

import importlib.util
import os
import pickle
import signal
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch_files as files

from gluon_cbam.common.errors import DataError
from gluon_cbam.convert.files import read_arrays

FOLDER = Path(__file__).parent.parent / 'data' / 'torch'
_spec = importlib.util.spec_from_file_location('make', FOLDER / 'make.py')
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)

ONE = {'0': np.float32([1, 2, 3, 4, 5, 6])}
FORMATS = {'zip': False, 'legacy': True}


def assert_values(arrays):
    assert list(arrays) == list(make.VALUES)
    for name, value in make.VALUES.items():
        assert arrays[name].dtype == value.dtype, name
        assert arrays[name].shape == value.shape, name
        assert np.array_equal(arrays[name], value), name


@pytest.mark.parametrize('name', ['zip', 'legacy', 'protocol4'])
def test_files_of_torch(name):
    assert_values(read_arrays(FOLDER / f'{name}.pth'))


def test_files_of_the_torch_that_is_installed(tmp_path):
    torch = pytest.importorskip('torch')
    make.write(tmp_path, torch)
    for name in ('zip', 'legacy', 'protocol4'):
        assert_values(read_arrays(tmp_path / f'{name}.pth'))
    for legacy in (False, True):  # what the tests write without torch is what torch reads
        files.write_state_dict(tmp_path / 'own.pth', {'a': ONE['0'].reshape(2, 3)}, legacy)
        read = torch.load(tmp_path / 'own.pth', map_location='cpu')['state_dict']['a']
        assert np.array_equal(read.numpy(), ONE['0'].reshape(2, 3))


@pytest.mark.parametrize('legacy', FORMATS.values(), ids=FORMATS)
def test_views(legacy, tmp_path):
    """A bare state_dict, an old rebuild function, views with an offset and strides that share a storage."""
    parts = {
        'whole': files.tensor('0', (2, 3), rebuild=b'_rebuild_tensor'),
        'columns': files.tensor('0', (3, 2), 6, (1, 3)),
        'odd': files.tensor('0', (2,), 6, (2,), 1),
        'scalar': files.tensor('0', (), 6, (), 5),
        'cuda': files.tensor('0', (2, 3)).replace(b'ctorch\n', b'ctorch.cuda\n'),
    }
    files.write(tmp_path / 'net.pth', files.mapping(parts), ONE, legacy)
    arrays = read_arrays(tmp_path / 'net.pth')
    assert {name: array.tolist() for name, array in arrays.items()} == {
        'whole': [[1, 2, 3], [4, 5, 6]], 'columns': [[1, 4], [2, 5], [3, 6]], 'odd': [2, 4], 'scalar': 6,
        'cuda': [[1, 2, 3], [4, 5, 6]],
    }  # fmt: skip


@pytest.mark.parametrize('module', [b'numpy.core.multiarray', b'numpy._core.multiarray'], ids=['numpy1', 'numpy2'])
def test_numbers_of_either_numpy_beside_the_parameters(module, tmp_path):
    accuracy = pickle.dumps(np.float64(0.5), 2)[2:-1]
    accuracy = accuracy.replace(b'cnumpy.core.', b'cnumpy._core.').replace(b'cnumpy._core.multiarray', b'c' + module)
    assert module + b'\nscalar\n' in accuracy
    part = files.mapping({'best': accuracy, 'state_dict': files.mapping({'a': files.tensor('0', (6,))})})
    files.write(tmp_path / 'net.pth', part, ONE)
    assert read_arrays(tmp_path / 'net.pth')['a'].tolist() == [1, 2, 3, 4, 5, 6]


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch ran',)


NESTED_KEY = b'})' + 200_000 * b'\x85' + b'K\x01s'
DOUBLED = b')' + b'q\x00h\x00\x86' * 200  # a tuple that holds itself twice, and that tuple twice, ...
PARTS = {
    'a doubled shape': (
        files.mapping({'a': files.tensor('0', (6,)).replace(files.numbers([6]), DOUBLED, 1)}),
        r'a tensor of shape \(\(\(\(\.\.\.\)',
    ),
    'a doubled name': (DOUBLED + b'X\x01\x00\x00\x00a\x93', r'a global of the name \[\(\('),
    'a doubled object': (DOUBLED, 'holds no state_dict'),
    'a long name': (files.mapping({'a' * 2000: files.tensor('0', (6,))}), "a tensor of the name 'aaaa"),
    'an escape': (files.mapping({'a': files.tensor('0', (6,), kind=b'a\x1b')}), r'asks for torch\.a\\x1b'),
    'os.system': (pickle.dumps(Evil(), 2)[2:-1], 'it asks for posix.system, which is not plain data'),
    'eval, protocol 4': (b'\x8c\x08builtins\x8c\x04eval\x93(X\x01\x00\x00\x001tR', 'it asks for builtins.eval'),
    'an instance': (b'(ios\nsystem\n', 'the pickle uses INST'),
    'an extension': (b'\x82\x01', 'the pickle uses EXT1'),
    'a list called': (b'])R', 'a damaged pickle, TypeError'),
    'attributes of a tensor': (files.tensor('0', (6,)) + b'}b', 'no dict where it needs one'),
    'huge memo': (b'}r\xff\xff\xff\xff', 'holds no state_dict'),
    'huge text': (b'X\xff\xff\xff\xffa', 'a damaged pickle, ValueError'),
    'an unknown memo': (b'h\x07', 'a damaged pickle, KeyError'),
    'nested tuples as key': (NESTED_KEY, 'a key of type tuple'),
    'nested tuples': (b')' + b'\x85' * 200_000, 'holds no state_dict'),
    'cyclic': (b'}q\x00' + files.text('state_dict') + b'h\x00s', 'holds no state_dict'),
    'empty stack': (b't', 'a damaged pickle'),
    'other values': (files.mapping({'a': files.number(1)}), 'holds no state_dict'),
    'huge storage': (files.mapping({'a': files.tensor('0', (2**40,))}), '(storage 0|elements is cut off)'),
    'huge tensor': (files.mapping({'a': files.tensor('0', (2**40, 2**40), 6)}), 'in a storage of 6 elements'),
    'huge view': (files.mapping({'a': files.tensor('0', (2**40,), 6, (0,))}), 'in a storage of 6 elements'),
    'beyond': (files.mapping({'a': files.tensor('0', (3,), 6, (2,), 2)}), 'in a storage of 6 elements'),
    'negative': (files.mapping({'a': files.tensor('0', (3,), 6, (1,), -1)}), r'a tensor of shape \(3,\)'),
    'many axes': (files.mapping({'a': files.tensor('0', (1,) * 33, 6)}), 'a tensor of shape'),
    'too few strides': (files.mapping({'a': files.tensor('0', (2, 3), 6, (1,))}), 'and strides'),
    'no such storage': (files.mapping({'a': files.tensor('1', (6,))}), 'KeyError'),
    'complex': (
        files.mapping({'a': files.tensor('0', (6,), kind=b'ComplexFloatStorage')}), 'asks for torch.ComplexFloatStorage'
    ),
}  # fmt: skip


@pytest.mark.parametrize('legacy', FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize('kind', PARTS)
def test_hostile_pickles(kind, legacy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    part, expected = PARTS[kind]
    files.write(tmp_path / 'net.pth', part, ONE, legacy)
    with pytest.raises(DataError, match=expected) as caught:
        read_arrays(tmp_path / 'net.pth')
    message = str(caught.value)
    assert message.startswith(f'{tmp_path}/net.pth: not a PyTorch file of tensors')
    assert '\n' not in message
    assert len(message) < len(str(tmp_path)) + 300
    assert not (tmp_path / 'ran').exists()


def test_pickle_with_a_restricted_find_class_crashes(python):
    """Forbidding every global is not enough: the hash of a tuple overflows the C stack; Python 3.14 notices."""
    code = """
import io, pickle
class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError
Restricted(io.BytesIO(b'\\x80\\x02' + b'})' + 200_000 * b'\\x85' + b'K\\x01s' + b'.')).load()
"""
    process = python(code)
    assert process.returncode == -signal.SIGSEGV or 'RecursionError' in process.stderr


def damaged(kind, path):
    data = (FOLDER / 'zip.pth').read_bytes()
    if kind == 'truncated zip':
        data = data[:-100]
    elif kind == 'another storage':
        data = data.replace(make.BASE.tobytes(), bytes(96))
    elif kind == 'text':
        data = b'<html>404 Not Found</html>'
    elif kind == 'empty':
        data = b''
    elif kind == 'another version':
        data = files.LEGACY_BEGIN.replace(b'\xe9\x03', b'\xe8\x03') + b'\x80\x02}.\x80\x02].'
    elif kind == 'another number of elements':
        files.write(path, files.mapping({'a': files.tensor('0', (6,))}), ONE, legacy=True)
        data = path.read_bytes().replace(struct.pack('<q', 6), struct.pack('<q', 2**40))
    path.write_bytes(data)


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('truncated zip', 'BadZipFile'),
        ('another storage', 'BadZipFile'),
        ('text', 'neither a zip archive nor of the format before it'),
        ('empty', 'neither a zip archive'),
        ('another version', 'the version 1000 instead of 1001'),
        ('another number of elements', 'storage 0 of 6 elements is cut off or of another size'),
    ],
)
def test_damaged_files(kind, expected, tmp_path):
    path = tmp_path / 'net.pth'
    damaged(kind, path)
    with pytest.raises(DataError, match=expected):
        read_arrays(path)


def test_an_offset_outside_the_zip_archive(tmp_path):
    """seek() fails with EINVAL there, as if the disk had failed."""
    path = tmp_path / 'net.pth'
    files.write_state_dict(path, {'a': ONE['0']})
    data = path.read_bytes()
    for position in (data.rindex(b'PK\x05\x06') + 16, data.index(b'PK\x01\x02') + 42):  # of the directory, of a member
        path.write_bytes(data[:position] + b'\xff\xff\xff\x7f' + data[position + 4 :])
        with pytest.raises(DataError, match='net.pth: not a PyTorch file of tensors: '):
            read_arrays(path)


def test_a_storage_of_many_tensors(tmp_path):
    """Views take no memory, but reading each would take for ever."""
    first = files.text('a') + files.tensor('0', (10_000,)) + b'q\x01'
    part = b'}(' + first + b''.join(files.text(str(number)) + b'h\x01' for number in range(200)) + b'u'
    files.write(tmp_path / 'net.pth', part, {'0': np.zeros(10_000, 'float32')})
    with pytest.raises(DataError, match='tensors of 2010000 elements in a file of'):
        read_arrays(tmp_path / 'net.pth')


def test_every_truncation_is_noticed(tmp_path):
    data, path = (FOLDER / 'legacy.pth').read_bytes(), tmp_path / 'net.pth'
    for length in range(0, len(data) - 1, 7):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match='not a PyTorch file'):
            read_arrays(path)


def test_a_whole_network_is_refused():
    with pytest.raises(DataError, match=r'asks for torch\.nn\.parallel\.data_parallel\.DataParallel'):
        read_arrays(FOLDER / 'module.pth')


@pytest.mark.parametrize(
    ('members', 'compression', 'expected'),
    [
        ({'net/data.pkl': b'\x80\x02}.'}, zipfile.ZIP_DEFLATED, 'it is compressed'),
        ({'net/data.pkl': b'\x80\x02}.', 'other/data.pkl': b''}, zipfile.ZIP_STORED, '2 data.pkl instead of one'),
        ({'word/document.xml': b''}, zipfile.ZIP_STORED, '0 data.pkl instead of one'),
        ({'net/data.pkl': b'\x80\x02}.', 'net/byteorder': b'big'}, zipfile.ZIP_STORED, 'big-endian'),
    ],
)
def test_other_archives(members, compression, expected, tmp_path):
    with zipfile.ZipFile(tmp_path / 'net.pth', 'w', compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=expected):
        read_arrays(tmp_path / 'net.pth')

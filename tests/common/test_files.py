"""Atomic writing, and hashing of files."""

import hashlib
import os

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import atomic_path, digests, sha256, write_text


def test_atomic_writing(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    with pytest.raises(KeyError), atomic_path(path) as temporary:
        temporary.write_text('half')
        raise KeyError
    assert path.read_text() == 'old'
    with atomic_path(path) as temporary:
        temporary.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert os.listdir(tmp_path) == ['a.txt']
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_errors_name_the_final_path(tmp_path):
    """Not the temporary one, which users never see; the class and the number stay."""
    (tmp_path / 'folder').mkdir()
    cases = {
        tmp_path / 'none' / 'a.rec': (FileNotFoundError, 'No such file'),
        tmp_path / 'folder': (IsADirectoryError, 'Is a directory'),
        tmp_path / ('n' * 256): (OSError, 'File name too long'),
    }
    for path, (kind, reason) in cases.items():
        with pytest.raises(kind, match=reason) as caught, atomic_path(path) as temporary:
            temporary.write_text('x')
        assert str(path) in str(caught.value) and '.part' not in str(caught.value)
        assert caught.value.errno
    path = tmp_path / 'a.params'
    for error in (
        RuntimeError('{}: bad'),
        OSError(28, 'No space left', '{}'),
        OSError('{}: bad'),
        DataError('{}/x: bad'),
    ):
        with pytest.raises(type(error)) as caught, atomic_path(path) as temporary:
            error.args = tuple(str(part).format(temporary) if isinstance(part, str) else part for part in error.args)
            if error.args[0] == 28:
                error.filename = str(temporary)
            raise error
        assert str(path) in str(caught.value) and '.part' not in str(caught.value)
    assert os.listdir(tmp_path) == ['folder']
    with atomic_path(
        tmp_path / ('n' * 250)
    ) as temporary:  # a name that is allowed, whose temporary name would be too long
        temporary.write_text('x')


def test_hashes(tmp_path):
    (tmp_path / 'a').write_bytes(b'weights')
    assert sha256(tmp_path / 'a') == hashlib.sha256(b'weights').hexdigest()
    assert digests(tmp_path / 'a') == {
        'sha1': hashlib.sha1(b'weights').hexdigest(),
        'sha256': hashlib.sha256(b'weights').hexdigest(),
    }


def test_the_zoo_needs_neither_mxnet_nor_numpy(python):
    heavy = {'mxnet', 'numpy', 'requests'}
    process = python(
        f'from gluon_cbam import zoo; import sys; zoo.cards(); print({heavy} & set(sys.modules) or "alone")'
    )
    assert process.stdout.strip() == 'alone'

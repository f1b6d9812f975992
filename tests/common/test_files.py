"""Atomic writing, and hashing of files."""

import hashlib
import os

import pytest
from full_disk import files_up_to

from gluon_cbam.common.errors import DataError, TransferError
from gluon_cbam.common.files import (
    append_line,
    atomic_path,
    atomic_paths,
    digests,
    lines,
    open_regular,
    read_regular,
    sha256,
    write_text,
)


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


def test_a_full_disk_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    message = (
        r'a\.txt was not written: File too large; nothing of it is left, older files are unchanged: free some space'
    )
    with files_up_to(1000), pytest.raises(TransferError, match=message):
        write_text(path, 'new' * 1000)
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_files_that_belong_together(tmp_path):
    """All are as before, or all are new; a card is never beside the file of another."""
    paths = [tmp_path / 'a.params', tmp_path / 'a.json']
    for path in paths:
        write_text(path, 'old')
    with files_up_to(1000), pytest.raises(TransferError), atomic_paths(*paths) as temporaries:
        temporaries[0].write_text('new')
        temporaries[1].write_text('new' * 1000)
    assert [path.read_text() for path in paths] == ['old', 'old']
    with atomic_paths(*paths) as temporaries:
        for temporary in temporaries:
            temporary.write_text('new')
    assert [path.read_text() for path in paths] == ['new', 'new']
    assert sorted(os.listdir(tmp_path)) == ['a.json', 'a.params']


def test_a_signal_while_a_temporary_file_is_made_leaves_nothing(tmp_path, monkeypatch):
    """It arrives when the second file is there, and its name was not returned yet."""
    make, made = os.open, []

    def interrupted(path, *arguments, **named):
        made.append(make(path, *arguments, **named))
        if len(made) == 2:
            os.close(made[1])
            raise KeyboardInterrupt
        return made[0]

    monkeypatch.setattr(os, 'open', interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_paths(tmp_path / 'a.rec', tmp_path / 'a.idx'):
        pass
    assert len(made) == 2
    assert list(tmp_path.iterdir()) == []


def test_lines_are_appended_whole(tmp_path):
    """On a full disk, no part of a line is left."""
    path = tmp_path / 'metrics.jsonl'
    append_line(path, 'first')
    long = 'x' * 100_000  # longer than the buffers of Python's files
    append_line(path, long)
    before = path.read_bytes()
    with files_up_to(len(before) + 50), pytest.raises(TransferError, match=r'metrics\.jsonl was not written'):
        append_line(path, long)
    assert path.read_bytes() == before == f'first\n{long}\n'.encode()


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


def test_a_reader_of_a_growing_file_sees_whole_lines(python, tmp_path):
    """Traced by the kernel's own counter of writes of a process."""
    code = """
import sys
from gluon_cbam.common.files import append_line
def writes():
    return int(dict(line.split(': ') for line in open('/proc/self/io').read().splitlines())['syscw'])
before = writes()
for _ in range(10):
    append_line(PATH, 'x' * 100_000)
print(writes() - before)
""".replace('PATH', repr(str(tmp_path / 'a.jsonl')))
    process = python(code)
    if 'PermissionError' in process.stderr or 'FileNotFoundError' in process.stderr:
        pytest.skip('the kernel does not count writes')
    assert process.stdout.strip() == '10', process.stderr


def test_only_regular_files_are_opened(tmp_path):
    """A pipe without a writer would be waited for, and a device has no end."""
    os.mkfifo(str(tmp_path / 'pipe'))
    (tmp_path / 'link').symlink_to('/dev/zero')
    for name, kind in (('pipe', 'a pipe'), ('link', 'a device')):
        with pytest.raises(DataError, match=f'{name}: {kind}, not a regular file'):
            read_regular(tmp_path / name, 10)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / 'none')
    opened = set(os.listdir('/proc/self/fd'))
    with pytest.raises(DataError):
        open_regular(tmp_path / 'pipe')
    assert set(os.listdir('/proc/self/fd')) == opened


def test_files_are_read_up_to_a_size(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'12345')
    assert read_regular(path, 5) == b'12345'
    with pytest.raises(DataError, match='a: larger than the 4 bytes'):
        read_regular(path, 4)
    with open(path, 'r+b') as file:
        file.truncate(1 << 40)  # sparse, so that it has no memory's worth of data
    with pytest.raises(DataError, match='a: larger than'):
        read_regular(path, 1 << 29)


def test_lines_are_read_up_to_a_length(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'a\r\n\nb')
    with open_regular(path) as file:
        assert list(lines(file, path)) == [b'a\r\n', b'\n', b'b']
    with open(path, encoding='utf-8') as file:
        assert list(lines(file, path)) == ['a\n', '\n', 'b']
    with open(path, 'r+b') as file:
        file.truncate(1 << 40)
    with open_regular(path) as file, pytest.raises(DataError, match='a: line 3 is longer than 1048576'):
        list(lines(file, path))

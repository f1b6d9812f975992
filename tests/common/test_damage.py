"""Errors of reading: what the contents of a file cause is a DataError with its name, what the disk causes is not."""

import errno
import lzma
import struct
import zipfile
import zlib

import pytest

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.errors import DataError, TransferError, UsageError

OF_CONTENT = [
    OSError(errno.EINVAL, 'Invalid argument'), OSError('Invalid data stream'), OverflowError('too large'), EOFError(),
    MemoryError(), RecursionError('deep'), struct.error('short'), zlib.error('bad'), lzma.LZMAError('bad'),
    zipfile.BadZipFile('bad'), NotImplementedError('method 12'), KeyError('a'),
    UnicodeDecodeError('utf-8', b'', 0, 1, ''),    RuntimeError('encrypted\nsecond line'), ValueError('x' * 1000),
]  # fmt: skip


@pytest.mark.parametrize('error', OF_CONTENT, ids=lambda error: type(error).__name__)
def test_errors_of_the_content(error):
    with pytest.raises(DataError) as caught, reading('a/b.pth', 'not a PyTorch file'):
        raise error
    message = str(caught.value)
    outside = isinstance(error, OSError) and error.errno is not None
    why = 'an offset or a size in it lies outside the file' if outside else type(error).__name__
    assert message.startswith(f'a/b.pth: not a PyTorch file: {why}')
    assert '\n' not in message
    assert len(message) < 250


def test_a_reason_is_kept():
    with pytest.raises(DataError, match='^b.pth: a damaged file: no storage$'), reading('b.pth'):
        raise Damaged('no storage')


@pytest.mark.parametrize('number', [errno.ENOENT, errno.EACCES, errno.EIO, errno.ENOSPC])
def test_errors_of_the_disk_stay(number):
    with pytest.raises(OSError) as caught, reading('b.pth'):
        raise OSError(number, 'the reason', 'other.pth')
    assert (caught.value.errno, caught.value.filename) == (number, 'other.pth')
    with pytest.raises(TransferError, match=r'^b\.pth: the reason$'), reading('b.pth'):
        raise OSError(number, 'the reason')  # as read() of an open file does


def test_our_errors_stay():
    with pytest.raises(UsageError, match='^which$'), reading('b.pth'):
        raise UsageError('which')

"""The members of tar files, tar files inside them included; damage that ``tarfile`` takes for the end is an error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, NamedTuple, Optional, Union

from gluon_cbam.common.errors import DataError

_OPENERS: Dict[str, Callable[..., Any]] = {
    '.tar': open, '.tar.gz': gzip.open, '.tgz': gzip.open, '.tar.bz2': bz2.open, '.tar.xz': lzma.open,
}  # fmt: skip
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


class Member(NamedTuple):
    """A regular file in a tar file.

    Attributes:
        name: its path; the tar files inside the tar file that contain it are folders of the path.
        offset: of its first byte; only for a tar file that is not compressed.
        size: in bytes.
        read: returns its bytes; it must be called before the next member is read.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]


def is_tar(path: Path) -> bool:
    """Whether a file has the name of a tar file.

    Args:
        path: of the file, which is not opened.
    """
    return _ending(path) is not None


def is_compressed(path: Path) -> bool:
    """Whether a tar file is compressed, so that it must be read from the beginning.

    Args:
        path: of the tar file, which is not opened.
    """
    return _ending(path) != '.tar'


def _ending(path: Path) -> Optional[str]:
    return next((ending for ending in _OPENERS if path.name.lower().endswith(ending)), None)


def members(path: Path) -> Iterator[Member]:
    """The regular files of a tar file and of the tar files in it, in their order, in bounded memory.

    Args:
        path: of the tar file.

    Yields:
        The members; those of a compressed file must be read before the next one.

    Raises:
        DataError: it is damaged; the message names the last member that is whole.
    """
    last = None
    compressed = is_compressed(path)
    size = None if compressed else path.stat().st_size
    with _OPENERS[_ending(path) or '.tar'](path, 'rb') as file:
        try:
            for member in _members(file, '', size):
                yield member
                last = member.name
            while compressed and file.read(1 << 20):  # the checksum is at the end
                pass
        except _DAMAGE as error:
            where = f'behind member {last!r}' if last else 'at its beginning'
            raise DataError(f'{path}: a damaged tar file {where}: {error or type(error).__name__}') from None


class _StrictTarInfo(tarfile.TarInfo):
    """A header that must be readable: ``tarfile`` takes any other for the end, which only a block of zeros marks."""

    @classmethod
    def frombuf(cls, buf: Union[bytes, bytearray], encoding: str, errors: str) -> _StrictTarInfo:
        """Read a header; raises ReadError where ``tarfile`` would end."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise tarfile.ReadError('it ends without an end mark') from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f'a header cannot be read ({error})') from None


def _members(file: IO[bytes], prefix: str, limit: Optional[int]) -> Iterator[Member]:
    """The members of the tar file that begins where ``file`` stands and ends before ``limit``, or of a stream."""
    with tarfile.open(fileobj=file, mode='r|' if limit is None else 'r:', tarinfo=_StrictTarInfo) as tar:
        for info in iter(tar.next, None):
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            name = prefix + os.path.normpath(info.name).lstrip('/')
            if limit is not None and info.offset_data + info.size > limit:
                raise tarfile.ReadError(f'truncated in member {name!r}')
            if info.isreg() and name.lower().endswith('.tar'):
                yield from _nested(tar, info, file, name[: -len('.tar')] + '/', limit)
            elif info.isreg():
                yield Member(name, info.offset_data, info.size, _reader(tar, info))


def _nested(
    tar: tarfile.TarFile, info: tarfile.TarInfo, file: IO[bytes], prefix: str, limit: Optional[int]
) -> Iterator[Member]:
    if limit is None:
        yield from _members(_opened(tar, info), prefix, None)
    else:
        file.seek(info.offset_data)  # tarfile starts at the file's position, and counts from the file's beginning
        yield from _members(file, prefix, info.offset_data + info.size)


def _reader(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    return lambda: _opened(tar, info).read()


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    assert file is not None  # it is a regular file
    return file

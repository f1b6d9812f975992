"""The members of tar files and of tar files inside them; damage that ``tarfile`` takes for the end is an error."""

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
        name: path of the file; tar files inside the tar file count as folders.
        offset: offset of its first byte; valid only for an uncompressed tar file.
        size: size in bytes.
        read: returns its bytes; must be called before the next member is requested.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]


def is_tar(path: Path) -> bool:
    """Whether a file has the name of a tar file.

    Args:
        path: path of the file, which is not opened.
    """
    return _ending(path) is not None


def is_compressed(path: Path) -> bool:
    """Whether a tar file is compressed, so that it must be read from the beginning.

    Args:
        path: path of the tar file, which is not opened.
    """
    return _ending(path) != '.tar'


def _ending(path: Path) -> Optional[str]:
    return next((ending for ending in _OPENERS if path.name.lower().endswith(ending)), None)


def members(path: Path) -> Iterator[Member]:
    """Iterate over the regular files of a tar file and of the tar files in it, in bounded memory.

    Args:
        path: path of the tar file.

    Yields:
        The members, in the order of the file; members of a compressed file must be read before the next is requested.

    Raises:
        DataError: the file is damaged; the message names the last intact member.
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
    """A header that must be valid: ``tarfile`` takes an invalid one for the end, which only a block of zeros marks."""

    @classmethod
    def frombuf(cls, buf: Union[bytes, bytearray], encoding: str, errors: str) -> _StrictTarInfo:
        """Parse a header; raises ReadError where ``tarfile`` would stop silently."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise tarfile.ReadError('it ends without an end mark') from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f'a header cannot be read ({error})') from None


def _members(file: IO[bytes], prefix: str, limit: Optional[int]) -> Iterator[Member]:
    """The members of the tar file from the position of ``file`` to ``limit``; None for a compressed stream."""
    with tarfile.open(fileobj=file, mode='r|' if limit is None else 'r:', tarinfo=_StrictTarInfo) as tar:
        for info in iter(tar.next, None):
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member in memory
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
        # tarfile starts at the position of the file, but its offsets count from the beginning of the file
        file.seek(info.offset_data)
        yield from _members(file, prefix, info.offset_data + info.size)


def _reader(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    return lambda: _opened(tar, info).read()


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    assert file is not None  # it is a regular file
    return file

"""The members of tar files and of tar files inside them; what does not end with its end mark is an error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from functools import partial
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, NamedTuple, Optional

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.quoting import shown

from .left_out import kind_of_member
from .tar_headers import BLOCK, MAX_EXTENDED, Extended, Header, parse

_OPENERS: Dict[str, Callable[..., Any]] = {
    '.tar': open, '.tar.gz': gzip.open, '.tgz': gzip.open, '.tar.bz2': bz2.open, '.tar.xz': lzma.open,
}  # fmt: skip
_CHUNK = 1 << 20
_MAX_DEPTH = 4  # tar files inside tar files; ImageNet's are one inside the other
# what a file may expand to, and what the list of its members may take, with 512 bytes for each: a fixed number of
# bytes, and a multiple of the size of the file that no real images reach
_EXPANSION, _EXPANSION_RATE = 1 << 30, 250
_LIST, _LIST_RATE = 64 << 20, 16
MAX_READ = 32 << 20
"""Bytes of the largest image in a compressed tar file that is read: several are held at a time."""


class Member(NamedTuple):
    """A file or folder in a tar file, or something else, which has no bytes.

    Attributes:
        name: path of the file; tar files inside the tar file count as folders.
        offset: offset of its first byte; valid only for an uncompressed tar file.
        size: size in bytes.
        read: returns its bytes; must be called before the next member is requested. Raises DataError for a member of
            more bytes than the largest that is read.
        kind: ``file``, ``folder``, ``links`` or ``special``, as :func:`.left_out.kind_of_member` takes it.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]
    kind: str = 'file'


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


def open_tar(path: Path) -> IO[bytes]:
    """Open a tar file for reading, uncompressed."""
    opened: IO[bytes] = _OPENERS[_ending(path) or '.tar'](path, 'rb')
    return opened


def members(path: Path, largest: int = MAX_READ) -> Iterator[Member]:
    """Iterate over the members of a tar file and of the tar files in it, in bounded memory.

    Args:
        path: path of the tar file.
        largest: bytes of the largest member that is read of a compressed file.

    Yields:
        The members, in the order of the file; members of a compressed file must be read before the next is requested.

    Raises:
        DataError: the file is damaged, or expands to more than its size makes plausible; the message names the last
            intact member and the offset in the (uncompressed) tar file.
    """
    size = path.stat().st_size
    end = None if is_compressed(path) else size
    most = _LIST + _LIST_RATE * size
    listed = 0
    with open_tar(path) as file:
        archive = _Archive(path, file, end, _EXPANSION + _EXPANSION_RATE * size, largest)
        with reading(path, archive.damage):
            for member in archive.members('', end):
                listed += len(member.name) + BLOCK
                if listed > most:
                    raise Damaged(f'a file of {size} bytes with more members than it can hold images')
                yield member
                archive.last = member.name


class _Archive:
    """A tar file that is being read forward.

    Args:
        path: its path, for messages.
        file: the open file, uncompressed.
        end: its size; None for a compressed file.
        most: bytes that a compressed file may expand to.
        largest: bytes of the largest member that is read of a compressed file.

    Attributes:
        last: name of the last intact member.
    """

    def __init__(self, path: Path, file: IO[bytes], end: Optional[int], most: int, largest: int) -> None:
        self._path, self._file, self._end, self._most, self._largest = path, file, end, most, largest
        self._position = 0
        self._header = 0  # where the header begins that is being read, for messages
        self.last: Optional[str] = None

    def damage(self, why: str) -> str:
        """What is wrong with the file, with the last intact member and the offset; see ``damage.reading``."""
        where = f'behind member {shown(self.last)}' if self.last else 'at its beginning'
        return f'a damaged tar file {where}: {why} (the header at offset {self._header})'

    def members(self, prefix: str, end: Optional[int], depth: int = 0) -> Iterator[Member]:
        """The members from the position of the file to ``end``; None for a compressed file."""
        if depth > _MAX_DEPTH:
            raise Damaged(f'tar files inside tar files, more than {_MAX_DEPTH} deep')
        extended = Extended()
        while True:
            block = self._block(end)
            if not block.strip(b'\0'):
                break
            header = parse(block)
            if not header.is_extended:
                header = extended.applied(header)
            begin = self._position
            name = prefix + os.path.normpath(header.name.decode('utf-8', 'surrogateescape')).lstrip('/')
            if end is not None and begin + header.size > end:
                raise Damaged(f'truncated in member {shown(name)}')
            if header.is_extended:
                extended.add(header, self._extended(header))
            elif header.is_file and name.lower().endswith('.tar') and kind_of_member(name, 'file')[0] == 'unknown':
                folder = name[: -len('.tar')]
                yield Member(folder, begin, 0, bytes, 'folder')
                yield from self.members(f'{folder}/', begin + header.size, depth + 1)
            elif header.is_file:
                yield Member(name, begin, header.size, partial(self._content, begin, header.size, name))
            elif name.rpartition('/')[2] not in ('', '.'):  # the folder that the others are in
                yield Member(name, begin, 0, bytes, header.entry)
            self._go(begin + header.padded, name)
        if extended.pending:
            raise Damaged('it ends where a member must follow')
        self._finish(end)

    def _read(self, count: int) -> bytes:
        """Bytes from the position of the file; fewer at its end."""
        data = self._file.read(count)
        self._position += len(data)
        if self._end is None and self._position > self._most:
            raise Damaged(f'it expands to more than {self._most} bytes, which no images do')
        return data

    def _go(self, position: int, name: str) -> None:
        """Go forward to a position behind a member; in an uncompressed file also backward."""
        if self._end is not None:
            self._file.seek(position)
            self._position = position
        while self._position < position:
            if not self._read(min(_CHUNK, position - self._position)):
                raise Damaged(f'truncated in member {shown(name)}')

    def _block(self, end: Optional[int]) -> bytes:
        """The next header."""
        self._header = self._position
        block = self._read(BLOCK if end is None else max(0, min(BLOCK, end - self._position)))
        if len(block) < BLOCK:
            raise Damaged('truncated in a header' if block else 'it ends without an end mark')
        return block

    def _extended(self, header: Header) -> bytes:
        """The contents of a member that describes the one that follows."""
        if header.size > MAX_EXTENDED:
            raise Damaged(f'{header.size} bytes of name and attributes before a member; at most {MAX_EXTENDED}')
        content = self._read(header.size)
        if len(content) < header.size:
            raise Damaged('truncated in a header')
        return content

    def _content(self, begin: int, size: int, name: str) -> bytes:
        """The bytes of a member."""
        with reading(self._path, self.damage):
            if self._end is None and size > self._largest:
                raise DataError(
                    f'{self._path}: member {shown(name)} has {size} bytes, and the largest that is read from a '
                    f'compressed tar file {self._largest}: uncompress the tar file'
                )
            self._go(begin, name)
            content = self._read(size)
            if len(content) < size:
                raise Damaged(f'truncated in member {shown(name)}')
            return content

    def _finish(self, end: Optional[int]) -> None:
        """Read what follows the end mark, which must be zeros: anything else would be lost silently."""
        while True:
            begin = self._position
            rest = self._read(_CHUNK if end is None else max(0, min(_CHUNK, end - begin)))
            if not rest:
                break
            data = rest.lstrip(b'\0')
            if data:
                self._header = (begin + len(rest) - len(data)) // BLOCK * BLOCK
                raise Damaged('data follow its end mark')

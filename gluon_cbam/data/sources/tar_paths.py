"""Paths of files in a tar file, with those methods of :class:`pathlib.Path` that readers of sets of files need.

``zipfile.Path`` is the same for zip files.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath
from typing import IO, Iterator, List, Optional, Tuple, Union

from .tar_index import Extent, TarIndex


class TarPath:
    """The path of a file or folder in a tar file, which need not exist.

    It is opened with :func:`gluon_cbam.common.files.open_regular`, and shown as a path below that of the tar file.

    Args:
        index: the members of the tar file.
        inside: the path in it; the root is empty.
    """

    __slots__ = ('_inside', 'index')

    def __init__(self, index: TarIndex, inside: Union[str, PurePath] = '') -> None:
        self.index = index
        self._inside = PurePosixPath(inside)

    @property
    def name(self) -> str:
        """The last part of the path; empty for the root."""
        return self._inside.name

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self._inside.stem

    @property
    def suffix(self) -> str:
        """The suffix of the name, with its dot."""
        return self._inside.suffix

    @property
    def parent(self) -> TarPath:
        """The folder that it is in; the root is in itself."""
        return TarPath(self.index, self._inside.parent)

    @property
    def parents(self) -> Iterator[TarPath]:
        """The folders that it is in, the innermost first."""
        return (TarPath(self.index, each) for each in self._inside.parents)

    @property
    def is_root(self) -> bool:
        """Whether it is the root of the tar file."""
        return not self._inside.parts

    def __truediv__(self, part: Union[str, PurePath]) -> TarPath:
        return TarPath(self.index, self._inside / part)

    def with_name(self, name: str) -> TarPath:
        """The path with another name."""
        return TarPath(self.index, self._inside.with_name(name))

    def with_suffix(self, suffix: str) -> TarPath:
        """The path with another suffix."""
        return TarPath(self.index, self._inside.with_suffix(suffix))

    def resolve(self) -> TarPath:
        """The path without ``..``, where these do not lead out of the tar file."""
        return TarPath(self.index, posixpath.normpath(str(self._inside)))

    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.extent() is not None

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        key = self._key
        return not key or key in self.index.folders

    def exists(self) -> bool:
        """Whether there is such a file or folder."""
        return self.is_dir() or self.is_file()

    def extent(self) -> Optional[Extent]:
        """Where the bytes of the file are; None if it is none."""
        files = self.index.files
        number = files.find(self._key)
        return None if number is None else files.extent(number)

    def file_names(self) -> List[str]:
        """The names of the files directly in the folder, sorted."""
        files = self.index.files
        return [files[number].rpartition('/')[2] for number in files.directly_in(self._key)]

    def folder_names(self) -> List[str]:
        """The names of the folders directly in the folder, sorted."""
        return self.index.subfolders.get(self._key, [])

    def files_below(self) -> Iterator[str]:
        """The paths, relative to the folder, of all files below it: those of each folder, then its subfolders."""
        begin = len(self._key) + 1 if self._key else 0
        return (self.index.files[number][begin:] for number in self.index.files.below(self._key))

    def iterdir(self) -> Iterator[TarPath]:
        """What is directly in the folder."""
        return (self / name for name in (*self.folder_names(), *self.file_names()))

    def glob(self, pattern: str) -> Iterator[TarPath]:
        """What is below the folder with a path like a pattern of ``*`` and ``?``, without ``**``."""
        first, _, rest = pattern.partition('/')
        names = self.folder_names() if rest else [*self.folder_names(), *self.file_names()]
        for name in names:
            if fnmatchcase(name, first):
                yield from (self / name).glob(rest) if rest else (self / name,)

    def open_regular(self) -> IO[bytes]:
        """Open the file for reading.

        Raises:
            FileNotFoundError: there is no such file.
            IsADirectoryError: it is a folder.
        """
        extent = self.extent()
        if extent is None:
            code = errno.EISDIR if self.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code), str(self))  # which is one of the two classes, by its number
        section = _Section(str(self.index.uncompressed), extent)
        return io.BufferedReader(section)  # type: ignore[type-var]

    def __str__(self) -> str:
        path = str(self.index.path)
        return path if self.is_root else f'{path}/{self._inside}'

    def __repr__(self) -> str:
        return f'TarPath({str(self)!r})'

    @property
    def _key(self) -> str:
        """The name of the member; of a path that leads out of the tar file, one that no member has."""
        key = posixpath.normpath(str(self._inside))
        return '' if key == '.' else key

    @property
    def _order(self) -> Tuple[str, Tuple[str, ...]]:
        return str(self.index.path), self._inside.parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TarPath) and self._order == other._order

    def __lt__(self, other: TarPath) -> bool:
        return self._order < other._order

    def __hash__(self) -> int:
        return hash(self._order)


class _Section(io.RawIOBase):
    """A part of a file as a file of its own, for reading.

    Args:
        path: path of the file.
        extent: where the part is.
    """

    def __init__(self, path: str, extent: Extent) -> None:
        super().__init__()
        self._file = open(path, 'rb', buffering=0)  # noqa: SIM115 (closed by close)
        self._extent, self._position = extent, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._extent.size}[whence]
        self._position = max(0, begin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = min(len(buffer), max(0, self._extent.size - self._position))
        self._file.seek(self._extent.offset + self._position)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

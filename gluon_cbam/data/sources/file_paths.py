"""Paths in folders and in tar files alike, for the readers of sets of files: boxes, masks, names of classes.

A tar file is a folder for them. Images in class folders are listed as a whole, see ``file_trees``.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Union

from gluon_cbam.common.types import PathLike

from .file_trees import Location
from .folder_walk import walk
from .left_out import FOLDER, IMAGE, kind_of_folder, kind_of_member
from .tar_index import tar_index
from .tar_paths import TarPath
from .tars import is_tar

FilePath = Union[Path, TarPath]
"""A path on the disk or in a tar file."""


class Absent(NamedTuple):
    """A file that a tar file does not have, in place of its ``Location``.

    Attributes:
        path: path of the file.
    """

    path: str

    def read(self) -> bytes:
        """Raise FileNotFoundError, as reading a missing file does."""
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)


FileBytes = Union[Location, Absent]
"""The bytes of a file: ``read()`` gives them, in any process."""


def open_path(path: Union[PathLike, TarPath]) -> FilePath:
    """The path of a file or folder; a tar file, and a path below it such as ``set.tar/images``, is one in the tar file.

    Args:
        path: the path, which need not exist.

    Raises:
        DataError: the tar file is damaged.
    """
    if isinstance(path, TarPath):
        return path
    whole = Path(path)
    for place in (whole, *whole.parents):
        if is_tar(place) and place.is_file():
            return TarPath(tar_index(place), whole.relative_to(place))
    return whole


def bases(path: FilePath) -> Iterator[FilePath]:
    """The folders where a set may begin.

    Args:
        path: the source.

    Yields:
        The source itself; of a tar file, then the only folder in it besides hidden ones, the only one in that, and so
        on, since tar files are often written with the folders that lead to the set.
    """
    yield path
    while isinstance(path, TarPath) and path.is_dir():
        folders = [name for name in path.folder_names() if kind_of_folder(name) == FOLDER]
        if len(folders) != 1:
            break
        path = path / folders[0]
        yield path


def check_members(*paths: Optional[FilePath]) -> None:
    """Refuse links and such in the tar files of a set; see ``TarIndex.refuse_unfollowed``."""
    for path in paths:
        if isinstance(path, TarPath):
            path.index.refuse_unfollowed()


def file_bytes(path: FilePath) -> FileBytes:
    """The bytes of a file, which are not read yet; whether it exists is found when they are."""
    if isinstance(path, Path):
        return Location(str(path))
    extent = path.extent()
    return Absent(str(path)) if extent is None else Location(str(path.index.uncompressed), *extent)


def file_names(folder: FilePath) -> List[str]:
    """The names of the files directly in a folder, sorted; none if it does not exist."""
    if isinstance(folder, TarPath):
        return folder.file_names()
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file())


def images_below(folder: FilePath) -> List[str]:
    """The paths, relative to a folder, of the images below it, as ``folder_walk.walk`` finds them."""
    if isinstance(folder, TarPath):
        return [name for name in folder.files_below() if kind_of_member(name, 'file')[0] == IMAGE]
    return [entry.path for entry in walk(folder) if entry.kind == IMAGE]


def matching(folder: FilePath, pattern: str) -> List[FilePath]:
    """What is below a folder with a path like a pattern, without ``**``; sorted."""
    found: List[FilePath] = []
    if isinstance(folder, TarPath):
        found += sorted(folder.glob(pattern))
    else:
        found += sorted(folder.glob(pattern))
    return found


def files_below(folder: FilePath) -> List[str]:
    """The paths, relative to a folder, of all files in it and in its subfolders, whatever their kind."""
    if isinstance(folder, TarPath):
        return list(folder.files_below())
    return [path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()]


def relative_name(path: FilePath, folder: FilePath) -> str:
    """The path of a file relative to a folder that it is in, with ``/`` between folders; ``.`` for the folder itself.

    Raises:
        ValueError: it is not in this folder.
    """
    found = Path(str(path)).relative_to(str(folder))
    if '..' in found.parts:
        raise ValueError(f'{str(path)!r} leads out of {str(folder)!r}')
    return found.as_posix()

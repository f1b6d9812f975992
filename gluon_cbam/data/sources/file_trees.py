"""Trees of image files: folders, and tar files that are read without unpacking them.

Each kind is a class with the interface of :class:`Tree`. A tar file inside a tar file counts as a folder with the same
name without the suffix: ILSVRC2012_img_train.tar, a tar file of 1,000 tar files, has the structure of class folders.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Protocol, Sequence, Set, Tuple, Union

from gluon_cbam.common.errors import DataError, TransferError, UsageError
from gluon_cbam.common.files import read_regular
from gluon_cbam.common.limits import MAX_IMAGE_BYTES
from gluon_cbam.compat.renamed import renamed_attributes

from .compact_lists import Names
from .folder_walk import UNREADABLE, walk
from .left_out import FOLDER, IMAGE, LeftOut, kind_of_member
from .tar_index import SortedMembers, TarIndex, parent, tar_index
from .tars import is_compressed, is_tar, members


class Readable(Protocol):
    """An image in a file."""

    def read(self) -> bytes:
        """Read its bytes."""


class Location(NamedTuple):
    """The bytes of an image in a file.

    Attributes:
        path: path of the file.
        offset: offset of the first byte, in bytes.
        size: number of bytes; -1 for the whole file.
    """

    path: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        """Read the bytes.

        Returns:
            The encoded image.

        Raises:
            OSError: the file cannot be opened or read.
            DataError: the file is shorter than when it was listed, too large, or no regular file.
        """
        if self.size < 0:
            return read_regular(self.path, MAX_IMAGE_BYTES)
        if self.size > MAX_IMAGE_BYTES:  # a tar file with holes takes no place on the disk
            raise DataError(f'{self.path}: an image of {self.size} bytes, the limit is {MAX_IMAGE_BYTES}')
        with open(self.path, 'rb') as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise DataError(f'{self.path}: truncated: {len(data)} of {self.size} bytes at offset {self.offset}')
        return data


class Tree(Protocol):
    """The interface of a tree of images.

    Attributes:
        path: path of the folder or tar file.
        names: paths of the images inside it, with ``/``.
        folders: paths of all folders inside it, with ``/``, also of those without images.
        others: path of a folder -> what is directly in it besides images and folders.
        sequential: whether images can be read only in the order of ``names``.
        files: whether the images are files, which a list can name.
    """

    path: Path
    names: Sequence[str]
    folders: Set[str]
    others: Dict[str, LeftOut]
    sequential: bool
    files: bool

    def contents(self, numbers: Iterable[int]) -> Iterator[Union[Readable, bytes]]:
        """What reads the bytes of some images, such as their locations, or the bytes.

        Args:
            numbers: indices into ``names``; increasing if the tree is sequential.

        Yields:
            What reads each image, or its bytes, in the order of ``numbers``.
        """


def open_tree(path: Path, skip: Optional[Path] = None) -> Tree:
    """List the images below a folder or in a tar file.

    Args:
        path: path of the folder or tar file.
        skip: path of a folder below it that is passed over; default none.

    Returns:
        The tree.

    Raises:
        UsageError: there is no such folder or tar file.
        DataError: the tar file is damaged.
    """
    if path.is_dir():
        return Folder.read(path, skip)
    _require_tar(path)
    return CompressedTar(path) if is_compressed(path) else Tar(path)


def _require_tar(path: Path) -> None:
    if not path.is_file() or not is_tar(path):
        raise UsageError(f'no folder or tar file {str(path)!r}')


def open_listed(path: Path, names: Sequence[str]) -> Tuple[Tree, Sequence[int]]:
    """Open a folder or tar file for the images that a list names.

    Args:
        path: path of the folder or tar file.
        names: paths of the images inside it. For a folder, it is not checked that the files exist.

    Returns:
        The tree, and the index of each image in it.

    Raises:
        UsageError: there is no such folder or tar file, or the tar file is compressed.
        DataError: the tar file is damaged, or does not contain a listed image.
    """
    if path.is_dir():
        return Folder(path, names), range(len(names))
    _require_tar(path)
    if is_compressed(path):
        raise UsageError(f'{path}: a list cannot choose from a compressed tar file: uncompress it')
    tar = Tar(path)
    return tar, tar.find(names)


class Folder:
    """Images below a folder, or the images of a list."""

    sequential = False
    files = True

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        folders: Iterable[str] = (),
        others: Optional[Dict[str, LeftOut]] = None,
    ) -> None:
        self.path = path
        self.names = names
        self.folders = set(folders)
        self.others: Dict[str, LeftOut] = others or {}

    @classmethod
    def read(cls, path: Path, skip: Optional[Path] = None) -> Folder:
        """List all images below a folder, sorted by folder, then by name.

        Args:
            path: path of the folder.
            skip: path of a folder below it that is passed over; default none.

        Returns:
            The tree.

        Raises:
            TransferError: a folder in it cannot be read.
        """
        contents = _Contents()
        for kind, name in walk(path, skip=skip):
            if kind == UNREADABLE:
                raise TransferError(f'{path / name}: the folder cannot be read: change its permissions, or remove it')
            contents.add(kind, name)
        return cls(path, contents.images, contents.folders, contents.others)

    def contents(self, numbers: Iterable[int]) -> Iterator[Location]:
        """The locations of some images."""
        for number in numbers:
            yield Location(os.path.join(self.path, self.names[number]))


class Tar:
    """Images of an uncompressed tar file, in the order that :class:`Folder` gives after unpacking.

    The headers are read once; the images are read from the tar file, by any process and in any order.
    """

    sequential = False
    files = True

    def __init__(self, path: Path) -> None:
        self.path = path
        contents, numbers = _Contents.of_tar(tar_index(path))
        self._images = SortedMembers(tar_index(path), numbers)
        self.names: Sequence[str] = self._images
        self.folders, self.others = contents.folders, contents.others

    def contents(self, numbers: Iterable[int]) -> Iterator[Location]:
        """The locations of some images."""
        for number in numbers:
            yield Location(str(self.path), *self._images.extent(number))

    def find(self, names: Iterable[str]) -> Sequence[int]:
        """Find images by name.

        Args:
            names: paths inside the tar file.

        Returns:
            The index of each image.

        Raises:
            DataError: the tar file does not contain an image of this name.
        """
        return array('q', (self._number(name) for name in names))

    def _number(self, name: str) -> int:
        number = self._images.find(name)
        if number is None:
            raise DataError(f'{self.path}: it has no image {name!r}')
        return number


class CompressedTar:
    """Images of a compressed tar file, in its own order: it is read once for the names, and again for the images."""

    sequential = True
    files = True

    def __init__(self, path: Path) -> None:
        self.path = path
        index = tar_index(path)
        contents, numbers = _Contents.of_tar(index)
        self.names: Sequence[str] = contents.images
        self._offsets = array('q', (index.extent(number).offset for number in numbers))
        self.folders, self.others = contents.folders, contents.others

    def contents(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The bytes of some images."""
        wanted = (self._offsets[number] for number in numbers)
        offset = next(wanted, None)
        for member in members(self.path):
            if member.kind == 'file' and member.offset == offset:
                yield member.read()
                offset = next(wanted, None)


class _Contents:
    """What a folder or tar file holds, by its kind.

    Attributes:
        images: paths of the images, in the order of adding.
        folders: paths of all folders.
        others: path of a folder -> what is directly in it besides.
    """

    def __init__(self) -> None:
        self.images = Names()
        self.folders: Set[str] = set()
        self.others: Dict[str, LeftOut] = {}
        self._unused: Set[str] = set()

    def add(self, kind: str, path: str) -> None:
        """Add a file or folder of a kind that :func:`.folder_walk.walk` gives."""
        if kind == IMAGE:
            self.images.append(path)
        elif kind == FOLDER:
            self.folders.add(path)
        else:
            self.others.setdefault(parent(path.rstrip('/')), LeftOut()).add(kind, path)

    @classmethod
    def of_tar(cls, index: TarIndex) -> Tuple[_Contents, array]:
        """What a tar file holds, and the indices of the images among its members.

        Raises:
            DataError: all of its images lead out of it.
        """
        contents, numbers = cls(), array('q')
        for number, (name, kind) in enumerate(index.entries()):
            if contents._add_member(name, kind):
                numbers.append(number)
        outside = contents.others.get('', LeftOut()).first.get('outside')
        if outside is not None and not numbers:
            raise index.leading_out(outside)
        return contents, numbers

    def _add_member(self, name: str, member_kind: str) -> bool:
        """Add a member of a tar file and the folders that it is in; whether it is an image."""
        kind, path = kind_of_member(name, member_kind)
        if kind == 'outside':
            self.others.setdefault('', LeftOut()).add(kind, path)
            return False
        if path not in self._unused:
            self.add(kind, path)
        if path.endswith('/'):  # a folder that is left out is named by each of its members
            self._unused.add(path)
        folder = parent(path.rstrip('/'))
        while folder and folder not in self.folders:
            self.folders.add(folder)
            folder = parent(folder)
        return kind == IMAGE


def children(tree: Tree, prefix: str) -> List[str]:
    """The names of the folders directly in a folder.

    Args:
        tree: the tree.
        prefix: path of the folder with a final ``/``; empty for the root.

    Returns:
        The names, sorted.
    """
    inside = (folder[len(prefix) :] for folder in tree.folders if folder.startswith(prefix))
    return sorted(name for name in inside if name and '/' not in name)


__getattr__ = renamed_attributes(__name__, {'EXTENSIONS': 'data.decoding.IMAGE_ENDINGS'})

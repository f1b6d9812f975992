"""Trees of image files: folders, and tar files that are read without unpacking them.

Each kind is a class with the interface of :class:`Tree`. A tar file inside a tar file counts as a folder with the same
name without the suffix: ILSVRC2012_img_train.tar, a tar file of 1,000 tar files, has the structure of class folders.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Protocol, Sequence, Set, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError

from .compact_lists import Names
from .tars import is_compressed, is_tar, members

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp')
"""Suffixes of the files that are packed, in lower case; the case of a suffix is ignored."""


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
            DataError: the file is shorter than when it was listed.
        """
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
        folders: paths of all folders inside it, with ``/``.
        other: path of a folder -> number of files directly in it that are not images.
        sequential: whether images can be read only in the order of ``names``.
    """

    path: Path
    names: Sequence[str]
    folders: Set[str]
    other: Dict[str, int]
    sequential: bool

    def contents(self, numbers: Iterable[int]) -> Iterator[Union[Location, bytes]]:
        """The locations of some images, or their bytes.

        Args:
            numbers: indices into ``names``; increasing if the tree is sequential.

        Yields:
            A location or the bytes of each image, in the order of ``numbers``.
        """


def open_tree(path: Path) -> Tree:
    """List the images below a folder or in a tar file.

    Args:
        path: path of the folder or tar file.

    Returns:
        The tree.

    Raises:
        UsageError: there is no such folder or tar file.
        DataError: the tar file is damaged.
    """
    if path.is_dir():
        return Folder.read(path)
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

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        folders: Iterable[str] = (),
        other: Optional[Dict[str, int]] = None,
    ) -> None:
        self.path = path
        self.names = names
        self.folders = set(folders)
        self.other: Dict[str, int] = other or {}

    @classmethod
    def read(cls, path: Path) -> Folder:
        """List all images below a folder, sorted by folder, then by name; hidden folders are left out.

        Args:
            path: path of the folder.

        Returns:
            The tree.
        """
        names = Names()
        folders: Set[str] = set()
        other: Dict[str, int] = {}
        for parent, subfolders, files in os.walk(path, followlinks=True):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith('.'))
            relative = os.path.relpath(parent, path).replace(os.sep, '/')
            prefix = '' if relative == '.' else f'{relative}/'
            folders.update(prefix + name for name in subfolders)
            images = sorted(name for name in files if name.lower().endswith(EXTENSIONS))
            other[prefix[:-1]] = len(files) - len(images)
            for name in images:
                names.append(prefix + name)
        return cls(path, names, folders, other)

    def contents(self, numbers: Iterable[int]) -> Iterator[Location]:
        """The locations of some images."""
        for number in numbers:
            yield Location(os.path.join(self.path, self.names[number]))


class Tar:
    """Images of an uncompressed tar file, in the order that :class:`Folder` gives after unpacking.

    The headers are read once; the images are read from the tar file, by any process and in any order.
    """

    sequential = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.other: Dict[str, int] = Counter()
        names, offsets, sizes = Names(), array('q'), array('q')
        by_folder: Dict[str, array] = {}
        for member in members(path):
            if not member.name.lower().endswith(EXTENSIONS):
                self.other[_parent(member.name)] += 1
                continue
            by_folder.setdefault(_parent(member.name), array('q')).append(len(names))
            names.append(member.name)
            offsets.append(member.offset)
            sizes.append(member.size)
        order = array('q')
        self._ranges: Dict[str, Tuple[int, int]] = {}  # folder -> range of the indices of its images
        for folder in sorted(by_folder, key=lambda name: name.split('/')):
            self._ranges[folder] = len(order), len(order) + len(by_folder[folder])
            order.extend(sorted(by_folder[folder], key=names.__getitem__))
        self.names: Sequence[str] = Names(names[number] for number in order)
        self.folders = _with_parents(by_folder)
        self._offsets, self._sizes = (np.asarray(column, np.int64)[np.asarray(order)] for column in (offsets, sizes))

    def contents(self, numbers: Iterable[int]) -> Iterator[Location]:
        """The locations of some images."""
        for number in numbers:
            yield Location(str(self.path), int(self._offsets[number]), int(self._sizes[number]))

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
        begin, end = self._ranges.get(_parent(name), (0, 0))
        number = bisect_left(self.names, name, begin, end)
        if number == end or self.names[number] != name:
            raise DataError(f'{self.path}: it has no image {name!r}')
        return number


class CompressedTar:
    """Images of a compressed tar file, in its own order: it is read once for the names, and again for the images."""

    sequential = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.other: Dict[str, int] = Counter()
        names = Names()
        for member in members(path):
            if member.name.lower().endswith(EXTENSIONS):
                names.append(member.name)
            else:
                self.other[_parent(member.name)] += 1
        self.names: Sequence[str] = names
        self.folders = _with_parents({_parent(name) for name in names})

    def contents(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The bytes of some images."""
        images = (member for member in members(self.path) if member.name.lower().endswith(EXTENSIONS))
        wanted = iter(numbers)
        number = next(wanted, None)
        for index, member in enumerate(images):
            if index == number:
                yield member.read()
                number = next(wanted, None)


def _parent(name: str) -> str:
    return name.rpartition('/')[0]


def _with_parents(folders: Iterable[str]) -> Set[str]:
    """The folders and the folders that contain them, without the root."""
    found: Set[str] = set()
    for name in folders:
        folder = name
        while folder and folder not in found:
            found.add(folder)
            folder = _parent(folder)
    return found


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

"""The list of the members of a tar file, in little memory: names, and where their bytes are.

Images in class folders (``file_trees``) and the files of sets of boxes and masks (``tar_paths``) are found in it.
"""

from __future__ import annotations

import shutil
from array import array
from bisect import bisect_left
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union, overload
from weakref import finalize

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import disk_errors
from gluon_cbam.common.quoting import shown

from .compact_lists import Names, equal_names
from .left_out import leads_out
from .tars import Member, is_compressed, members, open_tar

_KINDS = ('file', 'folder', 'links', 'special')
_FILE, _FOLDER, _LINKS, _ = range(len(_KINDS))
_REMEMBERED = 4  # tar files; a command lists each of its own once


class Extent(NamedTuple):
    """Where the bytes of a member are.

    Attributes:
        offset: offset of the first byte in the uncompressed tar file.
        size: number of bytes.
    """

    offset: int
    size: int


def tar_index(path: Path) -> TarIndex:
    """List a tar file; the last ones are remembered, as long as the files are the same.

    Args:
        path: path of the tar file.

    Raises:
        DataError: it is damaged, or has a member twice.
    """
    status = path.stat()
    return _remembered(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=_REMEMBERED)
def _remembered(path: Path, version: Tuple[int, ...]) -> TarIndex:
    return TarIndex(path)


class TarIndex:
    """The members of a tar file and of the tar files in it, in the order of the file.

    Args:
        path: path of the tar file.

    Attributes:
        path: path of the tar file.
        names: path of each member.
        folders: paths of all folders, also of those that have no member of their own.

    Raises:
        DataError: the file is damaged, or has a member twice: unpacking it would keep the last one alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = Names()
        self.folders: Set[str] = set()
        self._kinds = bytearray()
        self._offsets, self._sizes = array('q'), array('q')
        for member in members(path):
            self._add(member)
        self._refuse_repeated()

    def _add(self, member: Member) -> None:
        self.names.append(member.name)
        self._kinds.append(_KINDS.index(member.kind))
        self._offsets.append(member.offset)
        self._sizes.append(member.size)
        folder = member.name if member.kind == 'folder' else parent(member.name)
        while folder and folder not in self.folders and not leads_out(folder):
            self.folders.add(folder)
            folder = parent(folder)

    def __len__(self) -> int:
        return len(self.names)

    def entries(self) -> Iterator[Tuple[str, str]]:
        """Name and kind of each member, see :class:`gluon_cbam.data.sources.tars.Member`."""
        return zip(self.names, (_KINDS[kind] for kind in self._kinds))

    def extent(self, number: int) -> Extent:
        """Where the bytes of a member are."""
        return Extent(self._offsets[number], self._sizes[number])

    @cached_property
    def files(self) -> SortedMembers:
        """All regular files."""
        return SortedMembers(self, (number for number, kind in enumerate(self._kinds) if kind == _FILE))

    @cached_property
    def subfolders(self) -> Dict[str, List[str]]:
        """Folder, empty for the root -> the names of the folders directly in it, sorted; only folders with such."""
        found: Dict[str, List[str]] = {}
        for folder in sorted(self.folders):
            above, _, name = folder.rpartition('/')
            found.setdefault(above, []).append(name)
        return found

    @cached_property
    def uncompressed(self) -> Path:
        """The tar file; of a compressed one, its content in a temporary file, which is removed with the index."""
        if not is_compressed(self.path):
            return self.path
        folder = mkdtemp(prefix='cbam-tar-')
        removal = finalize(self, shutil.rmtree, folder, ignore_errors=True)  # TemporaryDirectory would warn of it
        path = Path(folder, 'uncompressed.tar')
        try:
            with disk_errors(path), open_tar(self.path) as source, open(path, 'wb') as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except BaseException:
            removal()
            raise
        return path

    def refuse_unfollowed(self) -> None:
        """Refuse members that unpacking takes for other files, or would write elsewhere: their contents would be lost.

        Raises:
            DataError: a member is a link, or its path leads out of the tar file.
        """
        for name, kind in self.entries():
            if kind == _KINDS[_LINKS]:
                raise DataError(
                    f'{self.path}: member {shown(name)} is a link, which is not followed: write the tar file with '
                    '--dereference and --hard-dereference'
                )
            if leads_out(name):
                raise self.leading_out(name)

    def leading_out(self, name: str) -> DataError:
        """The error of a member whose path leads out of the tar file."""
        return DataError(f'{self.path}: member {shown(name)} leads out of the tar file: write it without ..')

    def _refuse_repeated(self) -> None:
        """Refuse a file whose name occurs twice, or is that of a folder, too."""
        folders = sorted(self.folders)
        files = array('q', (number for number, kind in enumerate(self._kinds) if kind != _FOLDER))

        def name_of(place: int) -> str:
            return self.names[files[place]] if place < len(files) else folders[place - len(files)]

        for _, second in equal_names(name_of, len(files) + len(folders)):
            how = 'occurs twice' if second < len(files) else 'is a file and a folder'
            raise DataError(f'{self.path}: member {shown(name_of(second))} {how}: write the tar file anew')


class SortedMembers(Sequence[str]):
    """Some members of a tar file, in the order that a folder has after unpacking: by folder, then by name.

    Args:
        index: the list of all members.
        numbers: indices of the members.
    """

    def __init__(self, index: TarIndex, numbers: Iterable[int]) -> None:
        self._index = index
        by_folder: Dict[str, array] = {}
        for number in numbers:
            by_folder.setdefault(parent(index.names[number]), array('q')).append(number)
        self._order = array('q')
        self._ranges: Dict[str, range] = {}
        for folder in sorted(by_folder, key=lambda name: name.split('/')):
            begin = len(self._order)
            self._order.extend(sorted(by_folder[folder], key=index.names.__getitem__))
            self._ranges[folder] = range(begin, len(self._order))

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> List[str]: ...

    def __getitem__(self, number: Union[int, slice]) -> Union[str, List[str]]:
        if isinstance(number, slice):
            return [self._index.names[each] for each in self._order[number]]
        return self._index.names[self._order[number]]

    def extent(self, number: int) -> Extent:
        """Where the bytes of a member are."""
        return self._index.extent(self._order[number])

    def directly_in(self, folder: str) -> range:
        """The indices of the members directly in a folder; the root is empty."""
        return self._ranges.get(folder, range(0))

    def below(self, folder: str) -> Iterator[int]:
        """The indices of the members in a folder and in those below it."""
        inside = f'{folder}/' if folder else ''
        for name, numbers in self._ranges.items():
            if name == folder or name.startswith(inside):
                yield from numbers

    def find(self, name: str) -> Optional[int]:
        """The index of a member; None if there is none of this name."""
        numbers = self.directly_in(parent(name))
        number = bisect_left(self, name, numbers.start, numbers.stop)
        return number if number < numbers.stop and self[number] == name else None


def parent(name: str) -> str:
    """The folder that a member is in; empty for the root."""
    return name.rpartition('/')[0]

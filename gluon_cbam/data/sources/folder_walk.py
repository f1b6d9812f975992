"""The walk over the images below a folder, which packing, lists, prediction and explanation share."""

from __future__ import annotations

import os
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.files import PathLike

from .left_out import FOLDER, IMAGE, kind_of_file, kind_of_folder

UNREADABLE = 'unreadable'
_Order = Callable[[Iterable[str]], List[str]]


class Entry(NamedTuple):
    """A file or folder.

    Attributes:
        kind: ``image``, ``folder``, ``unreadable`` (a folder that cannot be listed), or a key of
            :data:`gluon_cbam.data.sources.left_out.KINDS`.
        path: its path in the folder of the walk, with ``/``; a folder that is left out has a final ``/``. Empty for the
            folder of the walk itself.
    """

    kind: str
    path: str


class _Folder(NamedTuple):
    """A folder that is to be listed: its path in the folder of the walk, and the real paths of the folders it is in."""

    path: str
    real: Tuple[str, ...]


def walk(folder: PathLike, order: _Order = sorted, skip: Optional[PathLike] = None) -> Iterator[Entry]:
    """Walk over a folder: the files of each folder, then its subfolders; links to folders are followed.

    A link to a folder that holds it, so that the walk would have no end, is left out. The walk is lazy: a folder is
    listed when the iterator reaches it.

    Args:
        folder: path of the folder.
        order: sorts the names in a folder.
        skip: path of a folder that is passed over, such as that of the results; default none.

    Yields:
        Everything in it, except what is in folders that are left out.
    """
    skipped = None if skip is None else os.path.realpath(skip)
    waiting = [_Folder('', (os.path.realpath(folder),))]
    while waiting:
        parent = waiting.pop()
        prefix = f'{parent.path}/' if parent.path else ''
        try:
            with os.scandir(os.path.join(folder, parent.path) if prefix else folder) as listing:
                entries = {entry.name: entry for entry in listing}
        except OSError:
            yield Entry(UNREADABLE, parent.path)
            continue
        subfolders: List[_Folder] = []
        for name in order(entries):
            path = prefix + name
            kind, is_folder = _kind(entries[name])
            if kind == FOLDER:
                real = _real_paths(parent, entries[name], os.path.join(folder, path))
                if real and real[-1] == skipped:
                    continue
                kind = kind if real else 'loops'
                subfolders += [_Folder(path, real)] if real else []
            yield Entry(kind, f'{path}/' if is_folder and kind != FOLDER else path)
        waiting += reversed(subfolders)


def _kind(entry: os.DirEntry[str]) -> Tuple[str, bool]:
    """The kind of a file or folder, and whether it is a folder; loops are found later."""
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError:  # a link to itself
        is_folder = is_file = False
    if is_folder:
        return kind_of_folder(entry.name), True
    kind = kind_of_file(entry.name)
    if is_file or kind not in (IMAGE, 'unknown'):
        return kind, False
    if entry.is_symlink() and not os.path.exists(entry.path):
        return (IMAGE if kind == IMAGE else 'links'), False  # an image that is gone is an error
    return 'special', False


def _real_paths(parent: _Folder, entry: os.DirEntry[str], path: str) -> Tuple[str, ...]:
    """The real paths of a folder and of the folders it is in; empty if one of these is in the folder itself."""
    if not entry.is_symlink():
        return (*parent.real[:-1], os.path.join(parent.real[-1], entry.name))
    real = os.path.realpath(path)
    inside = os.path.join(real, '')
    if any(os.path.join(holder, '').startswith(inside) for holder in parent.real):
        return ()
    return (*parent.real, real)

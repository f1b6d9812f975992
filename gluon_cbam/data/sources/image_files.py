"""The files that arguments name: files, folders, shell patterns, and lists of them."""

from __future__ import annotations

import glob
import os
import sys
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import lines
from gluon_cbam.common.natural_sort import naturally_sorted

from .folder_walk import UNREADABLE, walk
from .left_out import IMAGE, KINDS, LeftOut

STANDARD_INPUT = '-'
"""The argument that stands for standard input."""


class ImageFile(NamedTuple):
    """A file that may hold images.

    Attributes:
        path: its path; ``-`` for standard input. A folder that cannot be listed stands for itself.
        folders: for a file below a folder that was named: the names of the folders that it is in, the named one first.
        fault: why it cannot be opened, where that is known already.
    """

    path: str
    folders: Tuple[str, ...] = ()
    fault: Optional[str] = None


def image_files(
    arguments: Sequence[str] = (),
    files_from: Optional[str] = None,
    missing: bool = False,
    skip: Optional[str] = None,
    left_out: Optional[LeftOut] = None,
) -> Iterator[ImageFile]:
    """Find the files that some arguments name, in the order of the arguments.

    Args:
        arguments: image files, ``.rec`` files, videos, folders (with their subfolders, in natural order, without hidden
            files), patterns such as ``photos/**/*.jpg``, or ``-`` for one image on standard input.
        files_from: a file with an argument in each line, except patterns; ``-`` for such lines on standard input. They
            are read lazily; a line need not name an existing file.
        missing: whether an argument, other than a pattern, need not name one either; default False.
        skip: path of a folder that is passed over in the folders that are named, such as that of the results; default
            none.
        left_out: counts what the folders hold besides images, as they are listed; default not counted.

    Returns:
        An iterator over the files; a folder is listed when the iterator reaches it.

    Raises:
        UsageError: an argument does not exist or matches no file, or standard input is given twice.
    """
    inputs = [*arguments, *([STANDARD_INPUT] if files_from == STANDARD_INPUT else [])].count(STANDARD_INPUT)
    if inputs > 1:
        raise UsageError(f'standard input (-) can be read once, got it {inputs} times')
    if files_from is not None and files_from != STANDARD_INPUT and not os.path.isfile(files_from):
        raise UsageError(f'no list of images {files_from!r}')
    return _files([path for argument in arguments for path in _expanded(argument, missing)], files_from, skip, left_out)


def _files(
    paths: Iterable[str], files_from: Optional[str], skip: Optional[str], left_out: Optional[LeftOut]
) -> Iterator[ImageFile]:
    for path in paths:
        yield from _below(path, skip, left_out)
    for number, line in enumerate(_lines(files_from) if files_from else (), 1):
        if '\0' in line:
            yield ImageFile(line, fault=f'line {number} of {files_from} has a zero byte, which no path has')
        elif line.strip():
            yield from _below(line, skip, left_out)


def _expanded(argument: str, missing: bool) -> List[str]:
    """The path itself, or the paths that match a pattern."""
    if argument == STANDARD_INPUT or os.path.lexists(argument):
        return [argument]
    if not glob.has_magic(argument):
        if missing:
            return [argument]
        raise UsageError(f'no image file or folder {argument!r}')
    matches = naturally_sorted(glob.iglob(argument, recursive=True))
    if not matches:
        raise UsageError(f'no file matches {argument!r}')
    return matches


def _lines(path: str) -> Iterator[str]:
    """The lines of a file of paths."""
    file_or_descriptor: Union[int, str] = sys.stdin.fileno() if path == STANDARD_INPUT else path
    with open(file_or_descriptor, 'rb', closefd=path != STANDARD_INPUT) as file:
        for line in lines(file, path):
            yield os.fsdecode(line.rstrip(b'\r\n'))


def _below(path: str, skip: Optional[str], left_out: Optional[LeftOut]) -> Iterator[ImageFile]:
    """The file itself, or the images below a folder."""
    if path == STANDARD_INPUT or not os.path.isdir(path):
        yield ImageFile(path)
        return
    own = os.path.basename(os.path.abspath(path))
    for kind, inside in walk(path, naturally_sorted, skip):
        if kind in (IMAGE, UNREADABLE):
            folders = tuple(inside.split('/')[:-1])
            yield ImageFile(os.path.join(path, inside) if inside else path, (own, *folders))
        elif left_out is not None and kind in KINDS:
            left_out.add(kind, os.path.join(path, inside))

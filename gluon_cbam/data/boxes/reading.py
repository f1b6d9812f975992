"""What the readers of all formats share: their options, names of classes and pictures, and the sizes of pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterable, List, Optional, Protocol, Sequence, Tuple, TypeVar

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable
from gluon_cbam.common.quoting import shown, shown_name
from gluon_cbam.data.class_names import CLASSES_FILE
from gluon_cbam.data.decoding import image_file_size
from gluon_cbam.data.sources.file_paths import FilePath, file_names, open_path
from gluon_cbam.data.sources.labels import read_classes
from gluon_cbam.data.sources.left_out import IMAGE, LeftOut, kind_of_file
from gluon_cbam.data.sources.parts import check_names

from .faults import Faults

Progress = Callable[[Iterable, Optional[int], str], Iterable]
"""Wraps an iterable for a progress bar: called with (items, number of items, name)."""
MAX_SIDE = 1 << 24
"""Pixels that no side of a picture reaches: float32 has all whole numbers below."""


@dataclass(frozen=True)
class ReadOptions:
    """Options of the readers.

    Attributes:
        root: the folder that the names of pictures are relative to; default where each format has them.
        classes_file: names of the classes in the order of the class indices; default those of the data.
        splits: the only splits that are read, for instance ``trainval`` and ``test`` of Pascal VOC; default the usual
            ones.
        progress: wraps what takes long.
    """

    root: Optional[FilePath] = None
    classes_file: Optional[FilePath] = None
    splits: Sequence[str] = ()
    progress: Progress = lambda items, total, name: items

    def given_classes(self, folder: Optional[FilePath] = None) -> Optional[List[str]]:
        """The names in ``classes_file``, or else in the ``classes.txt`` of a folder; None without either."""
        path = self.classes_file
        if path is None and folder is not None and (folder / CLASSES_FILE).is_file():
            path = folder / CLASSES_FILE
        return None if path is None else read_classes(path)


class Split(Protocol):
    """A part of a set."""

    @property
    def name(self) -> str:
        """Its name."""


_Split = TypeVar('_Split', bound=Split)


def chosen_splits(parts: List[_Split], splits: Sequence[str], path: FilePath) -> List[_Split]:
    """The parts of some splits; all where none is given.

    Args:
        parts: the parts of a set.
        splits: names of the splits.
        path: path of the set, for the message.

    Raises:
        UsageError: there is no such split.
    """
    known = [part.name for part in parts]
    missing = [name for name in splits if name not in known]
    if missing:
        raise UsageError(f'{printable(path)} has no split {missing[0]!r}: {closest(missing[0], known)}')
    return [part for part in parts if not splits or part.name in splits]


def read_options(
    root: Optional[PathLike],
    classes_file: Optional[PathLike],
    progress: Optional[Progress] = None,
    splits: Sequence[str] = (),
) -> ReadOptions:
    """The options of arguments that may be texts."""
    folder, names = (None if path is None else open_path(path) for path in (root, classes_file))
    made = ReadOptions(folder, names, tuple(splits))
    return made if progress is None else replace(made, progress=progress)


class ClassIndices:
    """The indices of classes by their names: of given names, or of the sorted ones of the data.

    Args:
        given: the names in the order of the indices; None to take those of the data.
    """

    def __init__(self, given: Optional[Sequence[str]]) -> None:
        self._given = given
        self._indices: Dict[str, int] = {name: index for index, name in enumerate(given or ())}

    def index(self, name: str, faults: Faults, where: str) -> Optional[int]:
        """The index of a name, provisional if the names are those of the data; None, and a fault, for an unknown name.

        Args:
            name: the name.
            faults: takes the fault.
            where: file and number of the annotation.
        """
        if not name:
            faults.add('unreadable', where, 'the class is missing')
            return None
        if name not in self._indices:
            if self._given is not None:
                faults.add('class', where, f'unknown class {shown(name)}: {closest(name, self._given)}')
                return None
            self._indices[name] = len(self._indices)
        return self._indices[name]

    def names(self) -> Tuple[str, ...]:
        """The names in the order of the final indices."""
        return tuple(sorted(self._indices) if self._given is None else self._given)

    def final(self) -> List[int]:
        """Provisional index -> final one."""
        places = {name: place for place, name in enumerate(self.names())}
        return [places[name] for name in self._indices]


def check_classes(names: Sequence[str], where: object) -> None:
    """Check that ``classes.txt`` can hold the names of classes.

    Args:
        names: the names.
        where: the file or folder that has them, for the message.

    Raises:
        DataError: see :func:`gluon_cbam.data.sources.parts.check_names`; or a name is empty.
    """
    if '' in names:
        raise DataError(f'{where}: the name of class {list(names).index("")} is empty')
    try:
        check_names(names, 'rename it')
    except DataError as error:
        raise DataError(f'{where}: {error}') from None


def checked_name(name: object, where: str) -> str:
    """The name of a picture relative to its folder, with ``/`` between folders.

    Args:
        name: the name from a file of annotations.
        where: file and number, for the message.

    Raises:
        DataError: it is no text, absolute, or leads out of the folder.
    """
    if isinstance(name, str) and name and '\0' not in name:
        parts = [part for part in name.split('/') if part not in ('', '.')]
        if parts and '..' not in parts and not name.startswith('/'):
            return '/'.join(parts)
    raise DataError(f'{where}: {shown(name)} is no path of a picture below its folder')


def check_listed_once(names: Sequence[str], path: object) -> None:
    """Check that the list of a split names each picture once: a picture would be packed and counted twice.

    Args:
        names: the names in the list.
        path: path of the list, for the message.

    Raises:
        DataError: one is named twice.
    """
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f'{path}: {shown(twice)} is listed twice')


def file_size(path: FilePath, faults: Faults) -> Optional[Tuple[int, int]]:
    """Height and width of a picture; None, and a fault, where it is missing or cannot be read."""
    try:
        return image_file_size(path)
    except FileNotFoundError:
        faults.add('missing', printable(path), 'there is no such picture')
    except DataError as error:
        faults.add('picture', printable(path), str(error).partition(': ')[2])
    except OSError as error:
        faults.add('picture', printable(path), error.strerror or type(error).__name__)
    return None


def count_unannotated(root: FilePath, names: Sequence[str], left_out: LeftOut, kind: str = 'unannotated') -> None:
    """Count the pictures in the folders of some pictures that are none of them.

    Args:
        root: the folder that the names are relative to.
        names: the pictures that are used.
        left_out: takes the counts.
        kind: the kind to count them as, a key of :data:`gluon_cbam.data.sources.left_out.KINDS`.
    """
    used = set(names)
    for folder in sorted({name.rpartition('/')[0] for name in names}):
        prefix = f'{folder}/' if folder else ''
        for entry in file_names(root / folder):
            if kind_of_file(entry) == IMAGE and prefix + entry not in used:
                left_out.add(kind, prefix + entry)


def number(text: Optional[str]) -> float:
    """A number that is written as text.

    Raises:
        ValueError: it is none; the message says so.
    """
    if not text or len(text) > 64:
        raise ValueError(f'{shown_name(text)} is no number' if text else 'a number is missing')
    try:
        return float(text if '_' not in text else 'digits may not be divided')
    except ValueError:
        raise ValueError(f'{shown(text)} is no number') from None

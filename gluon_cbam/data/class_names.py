"""The names of classes: ``classes.txt`` beside record files, and their comparison wherever two lists of them meet.

A label and an output of a network are numbers. Which class a number means is known by the names in the order of the
numbers: in ``classes.txt``, one in a line; in the card of weights; in the metadata of an exported file. Two lists agree
if they have the same names at the same indices; one may be longer, since labels that are too large are found otherwise.
"""

from __future__ import annotations

import operator
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, write_text
from gluon_cbam.common.quoting import shown

CLASSES_FILE = 'classes.txt'
"""The name of the file beside record files."""

_BYTE_ORDER_MARK = '\ufeff'

Same = Callable[[str, str], bool]
"""Function of two different texts: whether they name the same class."""


@dataclass(frozen=True)
class ClassNames:
    """The names of classes, and where they are written.

    Attributes:
        where: path of the file that holds the names, or what they were looked for in, for messages.
        names: the names in the order of the class indices; None where they are not known.
        count: number of outputs of the network that they belong to; None for data.
    """

    where: str
    names: Optional[List[str]]
    count: Optional[int] = None


class Difference(NamedTuple):
    """The first difference of two lists of names.

    Attributes:
        number: the class index.
        expected: the name in the first list.
        found: the name in the second list.
    """

    number: int
    expected: str
    found: str


def names_in(path: PathLike) -> List[str]:
    """Read the names in a ``classes.txt``.

    Args:
        path: path of the file.

    Returns:
        The lines, without line ends, a byte order mark, and blank lines at the end.

    Raises:
        DataError: it is not text in UTF-8.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no text in UTF-8 ({error}): write the names of the classes, one in a line') from None
    names = text.split('\n')  # not splitlines, which also splits at characters that may be in a name
    while names and not names[-1].strip():
        names.pop()
    return names


def names_beside(data: PathLike) -> ClassNames:
    """Read the names of the classes of a record file from the ``classes.txt`` in its folder.

    Args:
        data: path of the ``.rec`` file.

    Returns:
        The names; None where there is no ``classes.txt``, or an empty one.

    Raises:
        DataError: it is not text in UTF-8.
    """
    path = Path(data).parent / CLASSES_FILE
    names = names_in(path) if path.is_file() else []
    return ClassNames(str(path), names) if names else ClassNames(f'{data} (without a {CLASSES_FILE} beside it)', None)


def check_classes(folder: Path, classes: List[str]) -> None:
    """Check that the ``classes.txt`` of a folder, if it exists, has the same classes.

    Args:
        folder: folder of the record files.
        classes: names in the order of the class indices; if empty, nothing is checked.

    Raises:
        DataError: it has other classes, so that the labels of existing files would mean something else.
    """
    path = folder / CLASSES_FILE
    if not classes or not path.is_file():
        return
    names = names_in(path)
    if len(names) != len(classes) or first_difference(names, classes):
        raise DataError(f'{path} names other classes than these {len(classes)}: use another folder, or remove it')


def write_classes(folder: Path, classes: Sequence[str]) -> None:
    """Write ``classes.txt`` to a folder, one name in a line.

    Args:
        folder: folder of the record files.
        classes: names in the order of the class indices; if empty, nothing is written.
    """
    if classes:
        write_text(folder / CLASSES_FILE, ''.join(f'{name}\n' for name in classes))


def first_difference(
    expected: Sequence[str], found: Sequence[str], same: Same = operator.eq, moved: bool = False
) -> Optional[Difference]:
    """Find the first index at which two lists name different classes.

    Names are equal if their texts are, without a byte order mark and with composed and decomposed accents alike, as
    file systems differ in these.

    Args:
        expected: names in the order of the class indices.
        found: other names.
        same: whether two different texts name the same class; default never.
        moved: only count a name that is another class's in ``expected``, for lists that may rename the classes.

    Returns:
        The difference; None if the names agree at all indices that both lists have.
    """
    known = {_normal(name) for name in expected} if moved else ()
    for number, pair in enumerate(zip(expected, found)):
        mine, other = map(_normal, pair)
        if mine != other and not same(mine, other) and not (moved and other not in known):
            return Difference(number, mine, other)
    return None


def compare(expected: ClassNames, found: ClassNames, same: Same = operator.eq, moved: bool = False) -> Optional[str]:
    """Compare the names of classes that must agree.

    Args:
        expected: the names that decide, such as those of a network.
        found: the names that must agree with them, such as those of data.
        same: see :func:`first_difference`.
        moved: see :func:`first_difference`.

    Returns:
        None if they agree; else why they could not be compared, as a line for the log.

    Raises:
        DataError: they differ; the message has the first difference, both files and what to do.
    """
    if expected.names is None or found.names is None:
        without, other = (found, expected) if found.names is None else (expected, found)
        return f'the names of the classes were not compared with those of {other.where}: {without.where} has none'
    difference = first_difference(expected.names, found.names, same, moved)
    if difference is None:
        return None
    raise DataError(
        f'class {difference.number} is {shown(difference.found)} in {found.where}, but '
        f'{shown(difference.expected)} in {expected.where}: {_remedy(expected, moved)}, or give --ignore-classes'
    )


def _remedy(expected: ClassNames, moved: bool) -> str:
    if moved:
        return 'write the names in the order of the outputs'
    read = expected.where.endswith(('.txt', '.json')) and not expected.where.endswith('-symbol.json')  # a graph
    file = expected.where if read else 'FILE, the names in that order'
    return f'pack the images with cbam data pack --classes-file {file}'


def _normal(name: str) -> str:
    return unicodedata.normalize('NFC', name.lstrip(_BYTE_ORDER_MARK).rstrip('\r\n'))

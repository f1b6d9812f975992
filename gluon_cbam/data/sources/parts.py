"""The images of a source for each file of records, and their classes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Sequence, Tuple

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable

from .file_trees import Tree
from .left_out import LeftOut

_NOT_IN_NAMES = ('Cc', 'Cs', 'Zl', 'Zp')  # control characters, bytes that are not UTF-8, line and paragraph separators


@dataclass(frozen=True)
class Part:
    """The images for one ``.rec`` file.

    Attributes:
        name: name of the file, without the suffix.
        tree: the tree that contains the images.
        numbers: indices of the images in the tree.
        labels: labels of each image, one or more.
        prefix: path of their folder in the tree, with a final ``/``; empty for the root.
        left_out: what else is in this folder.
    """

    name: str
    tree: Tree
    numbers: Sequence[int]
    labels: Sequence[Tuple[float, ...]]
    prefix: str = ''
    left_out: LeftOut = field(default_factory=LeftOut)

    def __len__(self) -> int:
        return len(self.numbers)

    def image(self, index: int) -> str:
        """The path of an image in the tree."""
        return self.tree.names[self.numbers[index]]

    def path(self, index: int) -> str:
        """The path of an image, including the path of its folder or tar file."""
        return str(self.tree.path / self.image(index))


class Dataset(NamedTuple):
    """Images and their classes.

    Attributes:
        layout: name of the detected layout.
        parts: the parts, at least one.
        classes: names of the classes, in the order of the class indices; empty if the labels are not classes.
        left_out: what else the source holds; nothing for lists, which choose their images.
        notes: what was recognized or changed, a line each.
    """

    layout: str
    parts: List[Part]
    classes: List[str]
    left_out: LeftOut
    notes: Sequence[str] = ()


def check_names(classes: Sequence[str], remedy: str = 'rename its folder') -> None:
    """Check that ``classes.txt`` can hold the names of classes, each on a line, and give them back.

    Args:
        classes: the names.
        remedy: what to do, for the message.

    Raises:
        DataError: a name has a line break or another control character, a byte that is not UTF-8, or spaces around it;
            or two are the same text, whose accents may be coded in another way.
    """
    first: Dict[str, int] = {}
    for number, name in enumerate(classes):
        before = first.setdefault(unicodedata.normalize('NFC', name), number)
        if before != number:
            how = '' if name == classes[before] else ', with accents that are coded in another way'
            raise DataError(f"the classes {before} and {number} are both named '{printable(name)}'{how}: {remedy}")
    for name in classes:
        if name != name.strip() or any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in name):
            raise DataError(
                f"the class '{printable(name)}' cannot be a line of classes.txt, as it has a line break, a control "
                f'character, a byte that is not UTF-8, or a space at an end: {remedy}'
            )

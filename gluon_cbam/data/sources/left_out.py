"""What a source holds besides the images that are used: its kinds, by which it is counted, and the first of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Tuple

from gluon_cbam.common.printable import printable
from gluon_cbam.data.decoding import IMAGE_ENDINGS

IMAGE, FOLDER = 'image', 'folder'
KINDS: Dict[str, Tuple[str, str]] = {
    'beside_classes': ('image beside class folders', 'images beside class folders'),
    'outside_splits': ('image outside the splits', 'images outside the splits'),
    'unlabeled': ('image of a test set without labels', 'images of a test set without labels'),
    'unannotated': ('picture without annotations', 'pictures without annotations'),
    'unlisted': ('file of annotations that no split lists', 'files of annotations that no split lists'),
    'sets': ('folder with a set of its own', 'folders with sets of their own'),
    'unknown': ('file of another kind', 'files of other kinds'),
    'hidden': ('hidden file or folder', 'hidden files and folders'),
    'junk': ('file or folder of an operating system', 'files and folders of an operating system'),
    'special': ('device, pipe or socket', 'devices, pipes and sockets'),
    'links': ('link, broken or in a tar file', 'links, broken or in a tar file'),
    'outside': ('member that leads out of the tar file', 'members that lead out of the tar file'),
    'loops': ('link to a folder that holds it', 'links to a folder that holds them'),
}
"""Kind, as in JSON -> what it is called for one and for several."""
_JUNK_FOLDERS = frozenset(
    ('__macosx', '@eadir', '#recycle', '$recycle.bin', 'system volume information', 'lost+found', '__pycache__')
)
_JUNK_FILES = frozenset(('.ds_store', 'thumbs.db', 'ehthumbs.db', 'desktop.ini', 'icon\r', '.directory'))
_RESOURCE_FORK = '._'  # macOS writes one beside each file on foreign file systems


def kind_of_file(name: str) -> str:
    """The kind of a file by its name, without its folder: :data:`IMAGE` or a key of :data:`KINDS`."""
    lower = name.lower()
    if lower.startswith(_RESOURCE_FORK) or lower in _JUNK_FILES:
        return 'junk'
    if name.startswith('.'):
        return 'hidden'
    return IMAGE if lower.endswith(IMAGE_ENDINGS) else 'unknown'


def kind_of_folder(name: str) -> str:
    """The kind of a folder by its name, without its parent: :data:`FOLDER` or a key of :data:`KINDS`."""
    if name.startswith(_RESOURCE_FORK) or name.lower() in _JUNK_FOLDERS:
        return 'junk'
    return 'hidden' if name.startswith('.') else FOLDER


def leads_out(name: str) -> bool:
    """Whether the path of a member of a tar file leads out of it, so that unpacking would write elsewhere."""
    return '..' in name.split('/')


def kind_of_member(name: str, kind: str) -> Tuple[str, str]:
    """The kind of a member of a tar file, and the path to count it by.

    Args:
        name: path of the member.
        kind: ``file``, ``folder``, or a key of :data:`KINDS` for what is neither.

    Returns:
        :data:`IMAGE`, :data:`FOLDER` or a key of :data:`KINDS`, and the path: the member's, or with a final ``/`` that
        of a folder that is left out with all that it holds.
    """
    if leads_out(name):
        return 'outside', name
    end = name.find('/')
    begin = 0
    while end >= 0:
        of_folder = kind_of_folder(name[begin:end])
        if of_folder != FOLDER:
            return of_folder, name[: end + 1]
        begin, end = end + 1, name.find('/', end + 1)
    if kind == 'folder':
        of_folder = kind_of_folder(name[begin:])
        return of_folder, name if of_folder == FOLDER else f'{name}/'
    of_file = kind_of_file(name[begin:])
    return (of_file if kind == 'file' or of_file in ('hidden', 'junk') else kind), name


@dataclass
class LeftOut:
    """Counts of what is left out.

    Attributes:
        counts: kind -> number, in the order of :data:`KINDS` when iterated by :meth:`items`.
        first: kind -> path of the first one, with a final ``/`` for a folder.
    """

    counts: Dict[str, int] = field(default_factory=dict)
    first: Dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, path: str, count: int = 1) -> None:
        """Count a file or folder.

        Args:
            kind: a key of :data:`KINDS`.
            path: its path, or the first one's.
            count: how many there are.
        """
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.first.setdefault(kind, path)

    def update(self, other: LeftOut) -> None:
        """Add the counts of another one."""
        for kind, count in other.counts.items():
            self.add(kind, other.first[kind], count)

    def items(self) -> Iterator[Tuple[str, int, str]]:
        """(kind, number, first path) of each kind that occurs."""
        for kind in KINDS:
            if kind in self.counts:
                yield kind, self.counts[kind], self.first[kind]

    @property
    def total(self) -> int:
        """The number of all kinds together."""
        return sum(self.counts.values())

    def as_dict(self) -> Dict[str, Any]:
        """The counts for ``--json``: kind -> ``count`` and ``first``."""
        return {kind: {'count': count, 'first': first} for kind, count, first in self.items()}

    def as_lines(self) -> List[str]:
        """Human-readable: a line for each kind."""
        return [
            f'left out: {count} {KINDS[kind][count > 1]}: {printable(first)}{", ..." if count > 1 else ""}'
            for kind, count, first in self.items()
        ]

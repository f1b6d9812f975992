"""What packing and listing tell of a source: classes without images, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, TypeVar

from gluon_cbam.common.printable import printable
from gluon_cbam.data.sources.left_out import LeftOut

Item = TypeVar('Item')


class EmptyClass(NamedTuple):
    """A class without images, which keeps its index.

    Attributes:
        index: the class index.
        name: its name.
    """

    index: int  # type: ignore[assignment]
    name: str


class Written(List[Item]):
    """An entry for each file that was written, and what they do not have.

    Attributes:
        layout: name of the detected layout.
        left_out: what else the source holds.
        notes: what was recognized or changed, a line each.
        empty: path of a file -> the classes without images in it; only files with such classes.
    """

    def __init__(self, layout: str, left_out: LeftOut, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self.layout, self.left_out, self.notes = layout, left_out, list(notes)
        self.empty: Dict[Path, List[EmptyClass]] = {}

    def note_classes(self, path: Path, labels: Iterable[float], classes: Sequence[str]) -> None:
        """Note the classes that no image of a file has.

        Args:
            path: path of the file.
            labels: the labels of its images, each at least once.
            classes: names of the classes; empty if the labels are no classes.
        """
        seen = set(labels)
        empty = [EmptyClass(index, name) for index, name in enumerate(classes) if index not in seen]
        if empty:
            self.empty[path] = empty

    def empty_of(self, path: Path) -> List[Dict[str, Any]]:
        """The classes without images in a file, for ``--json``: ``class`` and ``label``."""
        return [{'class': entry.index, 'label': entry.name} for entry in self.empty.get(path, ())]

    def as_lines(self) -> List[str]:
        """Human-readable: the notes, a line for each kind that is left out, and for each file with empty classes."""
        return self.notes + self.left_out.as_lines() + [_warning(path, empty) for path, empty in self.empty.items()]


def _warning(path: Path, empty: Sequence[EmptyClass]) -> str:
    index, name = empty[0]
    first = f'class {index}' + (f' ({printable(name)})' if name != str(index) else '')
    if len(empty) == 1:
        return f'warning: {printable(path)} has no image of {first}, which keeps its number'
    return f'warning: {printable(path)} has no image of {len(empty)} classes, which keep their numbers: {first}, ...'

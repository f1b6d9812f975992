"""Sources that hold several sets: which they are, so that the one that is meant is given instead of guessed."""

from __future__ import annotations

from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.listing import listed
from gluon_cbam.common.printable import printable

from .file_paths import FilePath, matching
from .left_out import FOLDER, kind_of_folder

_FOLDERS, _LEVELS = 16, 3  # folders of a folder that are looked at, and of how many levels: sets are few
_NAMED = 4


class InnerSet(NamedTuple):
    """A set in a folder of a source.

    Attributes:
        path: its folder.
        text: what its format is.
    """

    path: FilePath
    text: str


def sets_below(
    source: FilePath, text_of: Callable[[FilePath], Optional[str]], levels: int = _LEVELS
) -> Iterator[InnerSet]:
    """Find the sets in the folders of a source that is none itself.

    Args:
        source: the source.
        text_of: what the format of a folder is; None for a folder that is no set.
        levels: levels of folders that are looked at.
    """
    if not source.is_dir():
        return
    folders = [path for path in matching(source, '*') if kind_of_folder(path.name) == FOLDER and path.is_dir()]
    for path in folders[:_FOLDERS]:
        text = text_of(path)
        if text is not None:
            yield InnerSet(path, text)
        elif levels > 1:
            yield from sets_below(path, text_of, levels - 1)


def refuse_inner_sets(source: FilePath, found: Sequence[InnerSet], otherwise: str) -> None:
    """Refuse a source whose folders are sets.

    Args:
        source: the source.
        found: the sets.
        otherwise: what else can be done, for the message.

    Raises:
        UsageError: there is one or more.
    """
    if found:
        named = ', '.join(f'{printable(each.path)} ({each.text})' for each in found[:_NAMED])
        more = f' and {len(found) - _NAMED} more' if len(found) > _NAMED else ''
        count, which = ('a set', 'it') if len(found) == 1 else (f'{len(found)} sets', 'one of them')
        raise UsageError(f'{printable(source)} holds {count} in its folders, {named}{more}: give {which}{otherwise}')


def refuse_formats(source: FilePath, texts: Mapping[str, str]) -> None:
    """Refuse a source that is of several formats.

    Args:
        source: the source.
        texts: name of each of its formats -> what it is.

    Raises:
        UsageError: there is more than one.
    """
    if len(texts) > 1:
        names = listed(texts, 'or')
        raise UsageError(f'{printable(source)} holds {listed(texts.values())}: choose with --format {names}')

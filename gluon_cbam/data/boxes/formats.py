"""The formats of boxes: each is a row of :data:`FORMATS`, and read into one table."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable
from gluon_cbam.data.sources.file_paths import FilePath, bases, check_members, open_path, relative_name
from gluon_cbam.data.sources.inner_sets import refuse_formats, refuse_inner_sets, sets_below

from .coco import read_coco
from .coco_files import find_files, is_coco
from .csv_tables import find_tables, read_tables
from .reading import ReadOptions, chosen_splits
from .record_sets import find_records, is_list, read_box_list, read_records
from .sets import BoxPart, BoxSet
from .voc import annotations_folder, read_voc, year_folders
from .yolo import is_yolo, read_yolo


class BoxFormat(NamedTuple):
    """A format.

    Attributes:
        name: its name for ``--format`` and ``--to``.
        text: what it is, for messages.
        matches: whether a source seems to be of it.
        found: whether a source that is said to be of it has the files.
        read: reads a source.
        keeps: what it holds of :data:`ALL`.
    """

    name: str
    text: str
    matches: Callable[[FilePath], bool]
    found: Callable[[FilePath], bool]
    read: Callable[[FilePath, ReadOptions], BoxSet]
    keeps: FrozenSet[str] = frozenset()


ALL = frozenset(('difficult', 'crowd', 'areas', 'ids', 'segmentations', 'category_ids'))
_FLAGS = frozenset(('difficult', 'crowd', 'areas'))


def _is_voc(source: FilePath) -> bool:
    folders = map(annotations_folder, year_folders(source))
    return any(folder is not None and folder.name == 'Annotations' for folder in folders) or _only_xml(source)


def _only_xml(source: FilePath) -> bool:
    """Whether a folder has XML files, and no folders of images that could be classes."""
    return annotations_folder(source) is not None and not any(path.is_dir() for path in source.iterdir())


def _any(find: Callable[[FilePath], dict]) -> Callable[[FilePath], bool]:
    return lambda source: bool(find(source))


def _file_or(find: Callable[[FilePath], dict]) -> Callable[[FilePath], bool]:
    """Whether a source is a file, whose reader says what is wrong with it, or has files."""
    return lambda source: source.is_file() or bool(find(source))


FORMATS: Sequence[BoxFormat] = (
    BoxFormat('rec', 'detection records', _any(find_records), _file_or(find_records), read_records, ALL),
    BoxFormat('lst', 'a list of detection labels', is_list, lambda path: path.is_file(), read_box_list, _FLAGS),
    BoxFormat('coco', "COCO's JSON", is_coco, _any(find_files), read_coco, ALL),
    BoxFormat('voc', "Pascal VOC's XML", _is_voc, lambda path: bool(year_folders(path)), read_voc,
              frozenset(('difficult',))),
    BoxFormat('yolo', "YOLO's folders", is_yolo, is_yolo, read_yolo),
    BoxFormat('csv', 'CSV of boxes', _any(find_tables), _file_or(find_tables), read_tables, _FLAGS),
)  # fmt: skip
"""The formats in the order in which they are tried."""
NAMES: Tuple[str, ...] = tuple(row.name for row in FORMATS)


def format_named(name: str) -> BoxFormat:
    """The row of a format.

    Raises:
        UsageError: there is none of the name.
    """
    row = next((row for row in FORMATS if row.name == name), None)
    if row is None:
        raise UsageError(f'no format {name!r} of boxes: known are {", ".join(NAMES)}')
    return row


def recognize(source: PathLike) -> Optional[BoxFormat]:
    """The format of a source; None if it holds no boxes.

    Args:
        source: a file or folder, or a tar file.

    Raises:
        UsageError: it holds sets of several formats, or its folders hold sets, so that none can be meant.
    """
    found = _recognized(open_path(source))
    return None if found is None else found.row


class _Located(NamedTuple):
    """A format, and the file or folder where the set begins, see :func:`gluon_cbam.data.sources.file_paths.bases`."""

    row: BoxFormat
    base: FilePath


def _recognized(source: FilePath) -> Optional[_Located]:
    if not source.exists():
        return None
    base = source
    for base in bases(source):
        rows = [row for row in FORMATS if row.matches(base)]
        refuse_formats(base, {row.name: row.text for row in rows})
        if rows:
            return _Located(rows[0], base)
    otherwise = ", or --format images to 'cbam data pack' where its folders are classes"
    refuse_inner_sets(source, list(sets_below(base, _text_of_set)), otherwise)
    return None


def _text_of_set(folder: FilePath) -> Optional[str]:
    """What the format of a folder is that may be a set besides others; records may be results."""
    return next((row.text for row in FORMATS if row.name != 'rec' and row.matches(folder)), None)


def _located(source: FilePath, form: Optional[str]) -> _Located:
    """The set in a source, of a format that is given or recognized."""
    if form is None:
        found = _recognized(source)
        if found is None or not found.row.found(found.base):
            check_members(source)
            raise UsageError(f'{printable(source)} is of no known format of boxes ({", ".join(NAMES)})')
        return found
    row = format_named(form)
    base = next((base for base in bases(source) if row.found(base)), None)
    if base is None:
        check_members(source)
        raise UsageError(f'{printable(source)} is not {row.text}')
    return _Located(row, base)


def _count_unused_sets(base: FilePath, found: BoxSet) -> None:
    """Count the folders of a source that are sets of their own, of which nothing was read."""
    used = {name for part in found.parts for name in _used_folders(base, part)}
    for inner in sets_below(base, lambda folder: None if folder.name in used else _text_of_set(folder), levels=1):
        found.left_out.add('sets', f'{inner.path.name}/')


def _used_folders(base: FilePath, part: BoxPart) -> Iterator[str]:
    """The folders of a source that have pictures or annotations of a part."""
    if len(part.columns):
        yield part.file(0)[len(str(base)) + 1 :].partition('/')[0]
    try:
        inside = relative_name(part.root, base)
    except ValueError:  # the pictures are elsewhere
        return
    yield from {name.partition('/')[0] for name in part.columns.names} if inside == '.' else {inside.partition('/')[0]}


def record_files(source: PathLike) -> List[Path]:
    """The files of a source that is detection records: itself, or those in the folder; empty for another source."""
    return list(find_records(Path(source)).values())  # records in tar files are not read


def read_boxes(source: PathLike, form: Optional[str] = None, options: Optional[ReadOptions] = None) -> BoxSet:
    """Read pictures with boxes.

    Args:
        source: a file or folder in one of :data:`FORMATS`, or a tar file that holds one, which is not unpacked.
        form: name of the format; default the one that is recognized.
        options: see :class:`~.reading.ReadOptions`.

    Returns:
        The set. Its faults are not refused: see :func:`.sets.check_part`.

    Raises:
        UsageError: there is no such source or split, no format is recognized, or the pictures are not found.
        DataError: a file of annotations or a tar file is damaged, or a tar file has links.
    """
    path = open_path(source)
    if not path.exists():
        raise UsageError(f'no file or folder {str(source)!r}')
    given = options or ReadOptions()
    row, base = _located(path, form)
    check_members(base, given.root)
    found = row.read(base, given)
    _count_unused_sets(base, found)
    found.parts = chosen_splits(found.parts, given.splits, path)
    if not any(len(part.columns) for part in found.parts) and not any(part.faults.wrong for part in found.parts):
        raise DataError(f'{printable(path)}: no picture')
    return found

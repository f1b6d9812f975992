"""The formats of pictures with masks: each is a row of :data:`FORMATS`, and read into one set."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.coco_files import is_coco
from gluon_cbam.data.boxes.reading import ReadOptions, check_classes, chosen_splits
from gluon_cbam.data.sources.file_paths import FilePath, bases, check_members, open_path
from gluon_cbam.data.sources.inner_sets import refuse_formats, refuse_inner_sets, sets_below

from .cityscapes import is_cityscapes, read_cityscapes
from .coco import read_coco_masks
from .folders import paired_folders, read_folders
from .lists import is_mask_list, read_mask_list
from .record_sets import find_mask_records, read_mask_records
from .sets import MaskSet
from .values import MOST_CLASSES
from .voc import mask_folders, read_voc


class MaskFormat(NamedTuple):
    """A format.

    Attributes:
        name: its name for ``--format``.
        text: what it is, for messages.
        matches: whether a source is of it.
        read: reads a source.
    """

    name: str
    text: str
    matches: Callable[[FilePath], bool]
    read: Callable[[FilePath, ReadOptions], MaskSet]


FORMATS: Sequence[MaskFormat] = (
    MaskFormat('rec', 'segmentation records', lambda path: bool(find_mask_records(path)), read_mask_records),
    MaskFormat('lst', 'a list of pictures and masks', is_mask_list, read_mask_list),
    MaskFormat('cityscapes', 'Cityscapes', is_cityscapes, read_cityscapes),
    MaskFormat('voc', 'the layout of Pascal VOC', lambda path: bool(mask_folders(path)), read_voc),
    MaskFormat('folders', 'folders of pictures and masks', lambda path: bool(paired_folders(path)), read_folders),
    MaskFormat('coco', "COCO's JSON", is_coco, read_coco_masks),
)
"""The formats in the order in which they are tried."""
NAMES: Tuple[str, ...] = tuple(row.name for row in FORMATS)


def mask_record_files(source: PathLike) -> List[Path]:
    """The files of a source that is segmentation records: itself, or those in the folder; empty for another source."""
    return list(find_mask_records(Path(source)).values())


def read_masks(source: PathLike, form: Optional[str] = None, options: Optional[ReadOptions] = None) -> MaskSet:
    """Read pictures with masks; the masks themselves are read later, see :func:`.sets.fitting_mask`.

    Args:
        source: a file or folder in one of :data:`FORMATS`, or a tar file that holds one, which is not unpacked.
        form: name of the format; default the one that is recognized.
        options: see :class:`gluon_cbam.data.boxes.reading.ReadOptions`.

    Returns:
        The set. Its faults are not refused.

    Raises:
        UsageError: there is no such source or split, or it is of no known format.
        DataError: a file of annotations or a tar file is damaged, a tar file has links, there are no pictures, or too
            many classes.
    """
    path = open_path(source)
    if not path.exists():
        raise UsageError(f'no file or folder {str(source)!r}')
    if form is not None and form not in NAMES:
        raise UsageError(f'no format {form!r} of masks: {closest(form, NAMES)}')
    row, base = _located(path, form)
    given = options or ReadOptions()
    check_members(base, given.root)
    found = row.read(base, given)
    found.parts = chosen_splits(found.parts, given.splits, path)
    if not any(part.examples or part.faults.wrong for part in found.parts):
        raise DataError(f'{printable(path)}: no picture with a mask')
    if found.classes is not None:
        check_classes(found.classes, path)
        if len(found.classes) > MOST_CLASSES:
            raise DataError(f'{printable(path)}: masks have at most {MOST_CLASSES} classes, got {len(found.classes)}')
    return found


def _located(source: FilePath, form: Optional[str]) -> Tuple[MaskFormat, FilePath]:
    """The format of a source, and the folder where the set begins."""
    rows, base = [row for row in FORMATS if form in (None, row.name)], source
    for base in bases(source):
        found = [row for row in rows if row.matches(base)]
        refuse_formats(base, {row.name: row.text for row in found})
        if found:
            return found[0], base
    check_members(source)
    inner = sets_below(base, lambda folder: next((row.text for row in rows if row.matches(folder)), None))
    refuse_inner_sets(source, list(inner), '')
    known = f'of no known format of masks ({", ".join(NAMES)})' if form is None else f'not {rows[0].text}'
    raise UsageError(f'{printable(source)} is {known}')

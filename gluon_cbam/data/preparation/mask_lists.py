"""Lists of pictures with masks, see :mod:`gluon_cbam.data.class_masks.lists`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, NamedTuple, Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_paths, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import read_options
from gluon_cbam.data.class_masks.formats import read_masks
from gluon_cbam.data.class_masks.sets import KINDS, MaskFile, MaskPart, MaskSet
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.sources.file_paths import open_path

from .box_sources import refuse
from .mask_packing import split_masks


class ListedMasks(NamedTuple):
    """A list that was written.

    Attributes:
        path: path of the ``.lst``.
        images: number of lines.
    """

    path: Path
    images: int


class ListedMaskSet(NamedTuple):
    """The lists that were written.

    Attributes:
        masks: the set that was read.
        lists: the lists.
    """

    masks: MaskSet
    lists: List[ListedMasks]


def list_masks(
    source: PathLike,
    output: PathLike,
    form: Optional[str] = None,
    classes_file: Optional[PathLike] = None,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    seed: int = 0,
    overwrite: bool = True,
) -> ListedMaskSet:
    """Write a list for each split of pictures with masks, and ``classes.txt`` in the same folder.

    Args:
        source: a folder in one of :data:`gluon_cbam.data.class_masks.formats.FORMATS`, whose masks are files with the
            values of the classes; the paths in the lists are relative to this folder.
        output: the ``.lst`` file, or its path without the suffix; of several lists, the names end in ``_train``,
            ``_val`` and ``_test``.
        form: name of the format; default the one that is recognized.
        classes_file: names of the classes in the order of the values; default those of the data.
        val_ratio: share of the pictures for a validation list, 0..1; default 0, no such list.
        test_ratio: share of the pictures for a test list, 0..1; default 0, no such list.
        seed: random seed of the split.
        overwrite: whether the lists may exist.

    Returns:
        The lists that were written.

    Raises:
        UsageError: the masks are no files of classes; or a list exists and must not be overwritten.
        DataError: a file is missing, or its path cannot be in a list. Nothing is written.
    """
    masks = read_masks(source, form, read_options(None, classes_file))
    faults = Faults(KINDS)
    for part in masks.parts:
        faults.update(part.faults)
        for example in part.examples:
            _check_files(part, example.mask, example.name, faults, masks.format, source)
    refuse(faults, source)
    parts = split_masks(masks, source, val_ratio, test_ratio, seed)
    prefix = Path(output).with_suffix('') if Path(output).suffix == '.lst' else Path(output)
    paths = [prefix.with_name(f'{prefix.name}{f"_{part.name}" if len(parts) > 1 else ""}.lst') for part in parts]
    refuse_existing(paths, overwrite)
    with made_folder(prefix.parent):
        check_classes(prefix.parent, list(masks.classes or ()))
        place = open_path(source)
        root = str(place if place.is_dir() else place.parent)
        with atomic_paths(*paths) as temporaries:
            for part, temporary in zip(parts, temporaries):
                _write(temporary, part, root)
        write_classes(prefix.parent, masks.classes or ())
    return ListedMaskSet(masks, [ListedMasks(path, len(part.examples)) for path, part in zip(paths, parts)])


def _check_files(part: MaskPart, mask: object, name: str, faults: Faults, form: str, source: PathLike) -> None:
    """Add a fault for a file that is missing."""
    if not isinstance(mask, MaskFile) or mask.table not in (None, bytes(range(256))):
        raise UsageError(f'{source}: masks of {form} are no files of classes to list: pack them with --masks')
    for path in (part.root / name, open_path(mask.where)):
        if not path.is_file():
            faults.add('missing', str(path), 'there is no such file')


def _write(path: Path, part: MaskPart, root: str) -> None:
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        for number, example in enumerate(part.examples):
            names = [os.path.relpath(each, root) for each in (example.mask.where, str(part.root / example.name))]
            outside = next((name for name in names if name.startswith('..')), None)
            if outside is not None:
                raise DataError(f'{outside} is not below {root}, which the paths in a list start from')
            file.write('\t'.join([str(number), *names]) + '\n')

"""Lists of pictures with boxes as im2rec has them: index, label of detection and path, separated by tabs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, NamedTuple, Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_paths, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.labels import encode, list_line
from gluon_cbam.data.boxes.reading import read_options
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.sources.file_paths import open_path

from .box_sources import split_parts, usable_parts


class ListedBoxes(NamedTuple):
    """A list that was written.

    Attributes:
        path: path of the ``.lst``.
        images: number of lines.
        boxes: number of boxes in them.
    """

    path: Path
    images: int
    boxes: int


class ListedSet(NamedTuple):
    """The lists that were written.

    Attributes:
        boxes: the set that was read.
        lists: the lists.
        faults: warnings.
    """

    boxes: BoxSet
    lists: List[ListedBoxes]
    faults: Faults


def list_boxes(
    source: PathLike,
    output: PathLike,
    form: Optional[str] = None,
    classes_file: Optional[PathLike] = None,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    seed: int = 0,
    overwrite: bool = True,
) -> ListedSet:
    """Write a list for each split of pictures with boxes, and ``classes.txt`` in the same folder.

    Args:
        source: a folder in one of :data:`gluon_cbam.data.boxes.formats.FORMATS`, or a file in the folder of its
            pictures; the paths in the lists are relative to this folder.
        output: the ``.lst`` file, or its path without the suffix; of several lists, the names end in ``_train``,
            ``_val`` and ``_test``.
        form: name of the format; default the one that is recognized.
        classes_file: names of the classes in the order of the class indices; default those of the data.
        val_ratio: share of the pictures for a validation list, 0..1; default 0, no such list.
        test_ratio: share of the pictures for a test list, 0..1; default 0, no such list.
        seed: random seed of the split.
        overwrite: whether the lists may exist.

    Returns:
        The lists that were written.

    Raises:
        UsageError: the source is of no known format or has no files of pictures; or a list exists and must not be
            overwritten.
        DataError: a box is wrong, or a path cannot be in a list. Nothing is written.
    """
    boxes = read_boxes(source, form, read_options(None, classes_file))
    if boxes.format == 'rec':
        raise UsageError(f'{source}: records have no files of pictures to list')
    usable, faults = usable_parts(boxes, source, skip_bad=False)
    parts = split_parts(boxes, usable, source, val_ratio, test_ratio, seed)
    prefix = Path(output).with_suffix('') if Path(output).suffix == '.lst' else Path(output)
    paths = [prefix.with_name(f'{prefix.name}{f"_{part.name}" if len(parts) > 1 else ""}.lst') for part in parts]
    refuse_existing(paths, overwrite)
    with made_folder(prefix.parent):
        check_classes(prefix.parent, list(boxes.classes))
        place = open_path(source)
        root = str(place if place.is_dir() else place.parent)
        with atomic_paths(*paths) as temporaries:
            for part, temporary in zip(parts, temporaries):
                _write(temporary, part, root)
        write_classes(prefix.parent, boxes.classes)
    lists = [ListedBoxes(path, len(part.columns), len(part.columns.boxes)) for path, part in zip(paths, parts)]
    return ListedSet(boxes, lists, faults)


def _write(path: Path, part: BoxPart, root: str) -> None:
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        for image in part.columns.numbered():
            name = os.path.relpath(str(part.root / image.name), root)
            if name.startswith('..'):
                raise DataError(f'{part.root / image.name} is not below {root}, which the paths in a list start from')
            file.write(list_line(image.id or 0, encode(image.boxes, image.height, image.width), name))

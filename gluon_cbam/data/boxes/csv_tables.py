"""Reading CSV with a line for each box.

With a header, the columns are found by their names, in any order; without one, a line is ``path,class,xmin,ymin,xmax,
ymax`` or, as RetinaFace and keras-retinanet have it, ``path,xmin,ymin,xmax,ymax,class``. A picture without objects has
a line with empty fields. Corners are in pixels from 0. The columns ``width`` and ``height``, as in the tables of
TensorFlow's Object Detection API, are the picture's, which must have that size.
"""

from __future__ import annotations

import csv
import os
from itertools import islice
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import lines, open_regular
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.sources.file_paths import FilePath
from gluon_cbam.data.sources.splits import SPLITS, only_one

from .columns import BoxRows
from .faults import Faults
from .reading import (
    MAX_SIDE,
    ClassIndices,
    ReadOptions,
    check_classes,
    checked_name,
    count_unannotated,
    file_size,
    number,
)
from .sets import BoxPart, BoxSet, PictureFiles

COLUMNS: Dict[str, Tuple[str, ...]] = {
    'path': ('path', 'image_path', 'image', 'filename', 'file_name', 'file', 'img_path'),
    'class': ('class', 'label', 'class_name', 'name', 'category'),
    'xmin': ('xmin', 'x_min', 'x1', 'left'),
    'ymin': ('ymin', 'y_min', 'y1', 'top'),
    'xmax': ('xmax', 'x_max', 'x2', 'right'),
    'ymax': ('ymax', 'y_max', 'y2', 'bottom'),
    'difficult': ('difficult',),
    'crowd': ('crowd', 'iscrowd'),
    'area': ('area',),
    'height': ('height', 'image_height', 'img_height'),
    'width': ('width', 'image_width', 'img_width'),
}
"""Column -> its names in a header, in lower case."""
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_NEEDED = ('path', 'class', *_CORNERS)
_CLASS_LAST = ('path', *_CORNERS, 'class')
_MORE = 64  # fields of a line that are not used
_PEEKED = 100  # lines that decide the order of the columns of a file without header


class _Row(NamedTuple):
    """A line: its number from 1, and column -> text."""

    line: int
    fields: Dict[str, str]


def find_tables(source: FilePath) -> Dict[str, FilePath]:
    """The tables of a source: a ``.csv``, or those of a folder that are named after splits.

    Returns:
        Split, or the name of the file without its suffix -> path; empty if there are none with boxes.
    """
    if source.is_file():
        return {source.stem: source} if source.suffix.lower() == '.csv' and _is_table(source) else {}
    names = {split: [source / f'{name}.csv' for name in SPLITS[split]] for split in SPLITS}
    tables = {split: [path for path in paths if path.is_file() and _is_table(path)] for split, paths in names.items()}
    found = {split: only_one(paths, split) for split, paths in tables.items()}
    return {split: path for split, path in found.items() if path is not None}


def _files(source: FilePath) -> Dict[str, FilePath]:
    """The tables to read; of a file, the reader says what is wrong with it."""
    return {source.stem: source} if source.is_file() else find_tables(source)


def _is_table(path: FilePath) -> bool:
    try:
        return _order(path) is not None
    except (DataError, OSError, UnicodeDecodeError, csv.Error):
        return False


def _lines(path: FilePath) -> Iterator[Tuple[int, List[str]]]:
    """(number from 1, fields) of each line that is not blank."""
    with open_regular(path) as file:
        text = (line.decode('utf-8-sig') for line in lines(file, path))
        reader = csv.reader(text, strict=True)
        try:
            for fields in reader:
                if any(field.strip() for field in fields):
                    yield reader.line_num, [field.strip() for field in fields]
        except csv.Error as error:
            raise DataError(f'{path}: line {reader.line_num}: no CSV ({error})') from None
        except UnicodeDecodeError:
            raise DataError(f'{path}: line {reader.line_num + 1}: no text in UTF-8') from None


def _order(path: FilePath) -> Optional[Tuple[Dict[str, int], bool]]:
    """Column -> its place, and whether the first line is a header; None if the file is no table of boxes."""
    header = True
    for number_of_lines, (_, fields) in enumerate(_lines(path)):
        if header:
            named = _named(fields)
            if named is not None:
                return named, True
            header = False
        if len(fields) != len(_NEEDED) or number_of_lines > _PEEKED:
            return None
        if all(fields[1:]):
            last, second = (all(map(_is_number, part)) for part in (fields[1:5], fields[2:6]))
            if last != second:
                return {name: place for place, name in enumerate(_CLASS_LAST if last else _NEEDED)}, False
            if last:
                raise DataError(f'{path}: whether the class {shown(fields[1])} or {shown(fields[5])} is unclear: '
                                f'begin it with the line {",".join(_NEEDED)}')  # fmt: skip
            return None
    return None


def _check_header(path: FilePath, places: Dict[str, int]) -> None:
    """Check that no column that is read is there twice."""
    fields = [field.lower() for field in next(_lines(path))[1]]
    twice = next((fields[place] for place in places.values() if fields.count(fields[place]) > 1), None)
    if twice is not None:
        raise DataError(f'{path}: the header names the column {shown(twice)} twice')


def _named(fields: List[str]) -> Optional[Dict[str, int]]:
    lower = [field.lower() for field in fields]
    found: Dict[str, int] = {}
    for column, names in COLUMNS.items():
        places = [lower.index(name) for name in names if name in lower]
        if places:
            found[column] = places[0]
    return found if all(name in found for name in _NEEDED) else None


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _rows(path: FilePath) -> Iterator[_Row]:
    order = _order(path)
    if order is not None and order[1]:
        _check_header(path, order[0])
    if order is None:
        raise DataError(f'{path}: no table of boxes: begin it with the line {",".join(_NEEDED)}')
    places, header = order
    width = max(places.values()) + 1
    for line, fields in islice(_lines(path), int(header), None):
        if len(fields) not in (1, *range(width, width + _MORE)):
            raise DataError(f'{path}: line {line}: {len(fields)} fields instead of {width}')
        whole = fields if len(fields) > 1 else fields + [''] * width  # a picture without objects
        yield _Row(line, {name: whole[place] for name, place in places.items()})


def read_tables(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read a set in CSV."""
    classes = ClassIndices(options.given_classes(source if source.is_dir() else source.parent))
    parts = [_part(name, path, classes, options) for name, path in _files(source).items()]
    check_classes(classes.names(), source)
    final = classes.final()
    result = BoxSet('csv', classes.names(), parts)
    for part in parts:
        labels = part.columns.boxes.classes
        labels[:] = [final[label] for label in labels.tolist()]
    for root in sorted({part.root for part in parts}):
        used = [name for part in parts if part.root == root for name in part.columns.names]
        count_unannotated(root, used, result.left_out)
    return result


def _part(name: str, path: FilePath, classes: ClassIndices, options: ReadOptions) -> BoxPart:
    root = _root(path, options.root)
    rows, faults = BoxRows(), Faults()
    owners: Dict[str, Optional[int]] = {}  # None for a picture that cannot be read
    stated: Dict[str, Optional[Tuple[int, int]]] = {}
    for row in options.progress(_rows(path), None, name):
        picture, where = _relative(root, row, path), f'{path}: line {row.line}'
        said = _stated_size(row, where)
        if picture not in owners:
            size = _checked_size(root / picture, said, where, faults)
            owners[picture], stated[picture] = None if size is None else rows.image(picture, *size), said
        if said != stated[picture]:
            raise DataError(
                f'{where}: {_shown_size(said)} for {shown(picture)}, but {_shown_size(stated[picture])} before'
            )
        owner = owners[picture]
        if owner is not None:
            _add_box(rows, owner, row, where, classes, faults)
    columns = rows.columns()
    if len(columns) and all(picture.startswith(f'{name}/') for picture in columns.names):  # a folder for each split
        root, columns.names = root / name, [picture[len(name) + 1 :] for picture in columns.names]
    return BoxPart(name, columns, root, PictureFiles(root, columns.names), lambda number: str(path), 'line', faults)


def _stated_size(row: _Row, where: str) -> Optional[Tuple[int, int]]:
    """Height and width that a line states for its picture; None where it states none."""
    texts = [row.fields.get(name, '') for name in ('height', 'width')]
    if not any(texts):
        return None
    try:
        height, width = (number(text or None) for text in texts)
    except ValueError as error:
        raise DataError(f'{where}: height and width: {error}') from None
    if height == width == 0:  # as some tools write
        return None
    if not all(0 < side < MAX_SIDE and side.is_integer() for side in (height, width)):
        raise DataError(f'{where}: a picture of {shown(texts[1])} x {shown(texts[0])} pixels')
    return int(height), int(width)


def _checked_size(
    path: FilePath, stated: Optional[Tuple[int, int]], where: str, faults: Faults
) -> Optional[Tuple[int, int]]:
    """Height and width of a picture; None, and a fault, where it cannot be used or a line states another size."""
    size = file_size(path, faults)
    if size is None or stated in (None, size):
        return size
    faults.add('size', where, f'{_shown_size(stated)}, but the picture has {_shown_size(size)}')
    return None


def _shown_size(size: Optional[Tuple[int, int]]) -> str:
    return 'no width and height' if size is None else f'width {size[1]} and height {size[0]}'


def _root(path: FilePath, given: Optional[FilePath]) -> FilePath:
    """The folder that the paths are relative to; of absolute ones, the folder that holds them all."""
    first = next(_rows(path), None)
    if given is not None or first is None or not os.path.isabs(first.fields['path']):
        return given or path.parent
    folders = {os.path.dirname(row.fields['path']) for row in _rows(path)}
    return Path(os.path.commonpath([folder for folder in folders if os.path.isabs(folder)]))


def _relative(root: FilePath, row: _Row, path: FilePath) -> str:
    name = row.fields['path']
    if os.path.isabs(name):
        name = os.path.relpath(name, str(root))
    return checked_name(name, f'{path}: line {row.line}')


def _add_box(rows: BoxRows, owner: int, row: _Row, where: str, classes: ClassIndices, faults: Faults) -> None:
    fields = row.fields
    if not any(fields[name] for name in _NEEDED[1:]):
        return  # a picture without objects
    try:
        xmin, ymin, xmax, ymax = (number(fields[name] or None) for name in _CORNERS)
        area = number(fields['area']) if fields.get('area') else float('nan')
        difficult, crowd = (_flag(fields.get(name, '')) for name in ('difficult', 'crowd'))
    except ValueError as error:
        faults.add('unreadable', where, str(error))
        return
    label = classes.index(fields['class'], faults, where)
    if label is not None:
        rows.box(owner, (xmin, ymin, xmax, ymax), label, row.line, difficult, crowd, area)


def _flag(text: str) -> bool:
    if text not in ('', '0', '1'):
        raise ValueError(f'a flag is 0 or 1, got {shown(text)}')
    return text == '1'

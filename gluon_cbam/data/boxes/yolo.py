"""Reading folders of YOLO: ``images/`` and ``labels/``, with a line ``class cx cy w h`` for each box, in shares of 1.

The splits and the names of the classes are in a ``data.yaml`` (``path``, ``train``, ``val``, ``test``, ``names``);
without one, the splits are folders of ``images/``, or have ``images/`` and ``labels/`` each, or the files of labels are
beside the pictures, and the names are in ``classes.txt``. A picture without a file of labels, or with an empty one, has
no objects. A line with a polygon, ``class x1 y1 x2 y2 x3 y3 ...``, becomes its bounds.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.quoting import shown
from gluon_cbam.common.yaml_documents import parse_yaml
from gluon_cbam.data.sources.file_paths import FilePath, file_names, images_below, matching, relative_name
from gluon_cbam.data.sources.labels import read_names
from gluon_cbam.data.sources.left_out import IMAGE, kind_of_file
from gluon_cbam.data.sources.splits import SPLITS, only_one

from .columns import BoxRows
from .faults import Faults
from .reading import ReadOptions, check_classes, check_listed_once, file_size, number
from .sets import BoxPart, BoxSet, PictureFiles

_IMAGES, _LABELS = 'images', 'labels'
_BOX, _POLYGON = 5, 7  # numbers of a line: of a box, and of a triangle
_POLYGONS = 'polygons'
_NAME_FILES = ('classes.txt', 'obj.names', 'predefined_classes.txt')


class _Split(NamedTuple):
    """The pictures of a split: their folder, and their paths relative to it."""

    folder: FilePath
    names: List[str]


def find_yaml(source: FilePath) -> Optional[FilePath]:
    """The file that describes a source: a ``.yaml`` with ``names`` and ``train`` or ``val``; None without one."""
    if source.is_file():
        return source if source.suffix.lower() in ('.yaml', '.yml') else None
    found = [path for path in matching(source, '*.y*ml') if _is_description(path)]
    if len(found) > 1:
        raise UsageError(f'{printable(found[0])} and {printable(found[1])} describe a set each: give one of the files')
    return found[0] if found else None


def _is_description(path: FilePath) -> bool:
    try:
        value = parse_yaml(read_text(path), str(path)).value
    except (DataError, OSError):
        return False
    return isinstance(value, dict) and 'names' in value and ('train' in value or 'val' in value)


def is_yolo(source: FilePath) -> bool:
    """Whether a source is a folder of YOLO, or the file that describes one."""
    if find_yaml(source) is not None:
        return True
    if _beside(source):
        return True
    folders = [source] + [source / name for names in SPLITS.values() for name in names]
    return any((folder / _IMAGES).is_dir() and (folder / _LABELS).is_dir() for folder in folders)


def read_yolo(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read a set in YOLO's format."""
    description, names = find_yaml(source), None
    if description is not None:
        splits, names = _described(description, options.root)
    else:
        splits = _found_splits(source)
        names = _named_beside(source)
    if options.classes_file is not None:
        names = options.given_classes()
    if not splits:
        raise UsageError(f'{source}: no pictures in images/')
    if not names:
        raise UsageError(f'{source}: name the classes in a data.yaml or a classes.txt, or give --classes-file')
    check_classes(names, source)
    result = BoxSet('yolo', tuple(names), [])
    for name, split in splits.items():
        result.parts.append(_part(name, split, result, options))
    return result


def _named_beside(source: FilePath) -> Optional[List[str]]:
    """The names of the classes in the files of a folder; None without one."""
    files = [source / name for name in _NAME_FILES if (source / name).is_file()]
    names = [read_names(path) for path in files]
    for path, others in zip(files, names):
        if others != names[0]:
            raise UsageError(f'{printable(files[0])} and {printable(path)} name other classes: keep one of them')
    return names[0] if names else None


def _described(path: FilePath, root: Optional[FilePath]) -> Tuple[Dict[str, _Split], Optional[List[str]]]:
    """The splits and the names of the classes in a ``data.yaml``."""
    value = parse_yaml(read_text(path), str(path)).value
    if not isinstance(value, dict):
        raise DataError(f'{path}: no mapping of path, train, val and names')
    names = value.get('names')
    if isinstance(names, dict):
        if sorted(names) != sorted(str(index) for index in range(len(names))):
            raise DataError(f'{path}: names must have the keys 0 to {len(names) - 1}')
        names = [names[str(index)] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(type(name) in (str, int) for name in names):
        raise DataError(
            f'{path}: names must be a list of the names of the classes, texts in quotes where they are yes or no, got '
            f'{shown(names)}'
        )
    if value.get('nc') not in (None, len(names)):
        raise DataError(f'{path}: nc is {shown(value["nc"])}, but {len(names)} classes are named')
    base = root or _base(path, value.get('path'))
    splits = {}
    for split, keys in SPLITS.items():
        given = [key for key in keys if value.get(key)]
        if len(given) > 1:
            raise DataError(f'{path}: {given[0]} and {given[1]} are both for the {split} split: keep one')
        if given:
            splits[split] = _described_split(path, base, value[given[0]])
    return splits, [str(name) for name in names]


def _base(path: FilePath, named: Any) -> FilePath:
    """The folder that a ``data.yaml`` names, if it exists; else its own."""
    folder = path.parent / named if isinstance(named, str) else path.parent
    return folder if folder.is_dir() else path.parent


def _described_split(path: FilePath, base: FilePath, value: Any) -> _Split:
    if not isinstance(value, str):
        raise DataError(f'{path}: a split must be one folder or a list of pictures, got {shown(value)}')
    for place in (
        base / value,
        path.parent / value,
        path.parent / value.replace('../', '', 1),
    ):  # as Roboflow writes it
        if place.is_dir():
            return _pictures(place)
        if place.is_file():
            names = [_relative(base, place, line) for line in read_names(place) if line.strip()]
            check_listed_once(names, place)
            return _Split(base, names)
    raise DataError(f'{path}: there is no {shown(value)} in {base}')


def _relative(base: FilePath, place: FilePath, line: str) -> str:
    """A line of a list of pictures as a path relative to a folder."""
    for folder in (base, place.parent):
        try:
            return relative_name((folder / line.strip()).resolve(), base.resolve())
        except ValueError:
            continue
    raise DataError(f'{place}: {shown(line)} is no path below {base}')


def _found_splits(source: FilePath) -> Dict[str, _Split]:
    found = {}
    for split, names in SPLITS.items():
        folders = [folder for name in names for folder in (source / _IMAGES / name, source / name / _IMAGES)]
        folder = only_one([folder for folder in folders if folder.is_dir()], split)
        if folder is not None:
            found[split] = _pictures(folder)
    one = source if _beside(source) else source / _IMAGES
    return found or ({'train': _pictures(one)} if one.is_dir() else {})


def _beside(source: FilePath) -> bool:
    """Whether a folder has pictures with files of labels beside them, and names of classes, as labelImg writes it."""
    if not source.is_dir() or not any((source / name).is_file() for name in _NAME_FILES):
        return False
    names = file_names(source)
    texts = {name for name in names if name.endswith('.txt')}
    return any(f'{name.rpartition(".")[0]}.txt' in texts for name in names if kind_of_file(name) == IMAGE)


def _pictures(folder: FilePath) -> _Split:
    return _Split(folder, images_below(folder))


def label_path(picture: FilePath) -> FilePath:
    """The file of labels of a picture: its last folder ``images`` becomes ``labels``, its ending ``.txt``."""
    images = next((folder for folder in picture.parents if folder.name == _IMAGES), None)
    labels = picture if images is None else images.parent / _LABELS / relative_name(picture, images)
    return labels.with_suffix('.txt')


def _part(name: str, split: _Split, result: BoxSet, options: ReadOptions) -> BoxPart:
    rows, faults, used = BoxRows(), Faults(), _label_files(split)
    if split.names and not any(path.is_file() for path in used):
        reason = f'none of the {len(split.names)} pictures of {name} has a file of labels, which empty ones have too'
        faults.add('missing', printable(next(iter(used))), reason)
    for picture in options.progress(split.names, len(split.names), name):
        path = split.folder / picture
        size = file_size(path, faults)
        if size is not None:
            owner = rows.image(picture, *size)
            _add_boxes(rows, owner, label_path(path), size, result, faults)
    folders = {path.parent for path in used}
    for folder in sorted(folders):
        for path in matching(folder, '*.*'):
            if path.suffix.lower() == '.txt' and path not in used and path.name not in _NAME_FILES:
                result.left_out.add('unlisted', str(path))
    columns, root = rows.columns(), split.folder
    return BoxPart(
        name, columns, root, PictureFiles(root, columns.names),
        lambda number: str(label_path(root / columns.names[number])), 'line', faults,
    )  # fmt: skip


def _label_files(split: _Split) -> Dict[FilePath, str]:
    """The file of labels of each picture, which need not exist -> the picture.

    Raises:
        DataError: two pictures have the same one.
    """
    found: Dict[FilePath, str] = {}
    for picture in split.names:
        other = found.setdefault(label_path(split.folder / picture), picture)
        if other != picture:
            both = f'{shown(other)} and {shown(picture)}'
            raise DataError(f'{split.folder}: the pictures {both} have the same file of labels: rename one')
    return found


def _add_boxes(
    rows: BoxRows, owner: int, path: FilePath, size: Tuple[int, int], result: BoxSet, faults: Faults
) -> None:
    for line, words in _lines(path):
        where = f'{path}: line {line}'
        try:
            label, corners = _box(words, size)
        except ValueError as error:
            faults.add('unreadable', where, str(error))
            continue
        if label >= len(result.classes):
            faults.add('class', where, f'class {label} is not one of the {len(result.classes)}')
            continue
        if len(words) > _BOX:
            result.lost[_POLYGONS] = result.lost.get(_POLYGONS, 0) + 1
        rows.box(owner, corners, label, line)


def _lines(path: FilePath) -> Iterator[Tuple[int, List[str]]]:
    """(number from 1, words) of each line that is not blank."""
    if path.is_file():
        for line, text in enumerate(read_text(path).split('\n'), 1):
            if text.strip():
                yield line, text.split()


def _box(words: List[str], size: Tuple[int, int]) -> Tuple[int, Tuple[float, float, float, float]]:
    """The class and the corners of a line."""
    if len(words) != _BOX and (len(words) < _POLYGON or len(words) % 2 == 0):
        raise ValueError(f'{len(words)} numbers instead of class cx cy w h')
    label, values = number(words[0]), [number(word) for word in words[1:]]
    if label != label // 1 or label < 0 or label >= 1 << 24:
        raise ValueError(f'{printable(words[0])} is no class, a whole number from 0')
    height, width = size
    if len(words) == _BOX:
        x, y, w, h = values
        left, top, right, bottom = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    else:
        left, right, top, bottom = min(values[::2]), max(values[::2]), min(values[1::2]), max(values[1::2])
    return int(label), (left * width, top * height, right * width, bottom * height)

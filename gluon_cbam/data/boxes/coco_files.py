"""What the readers of COCO's format share: its files, the folder of the pictures of each, and the size of an image."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import open_regular
from gluon_cbam.common.printable import printable
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.sources.file_paths import FilePath, matching

from .reading import MAX_SIDE

LISTS = ('images', 'annotations', 'categories')
"""The lists that a file of annotations has."""
_SPLITS = (('train', 'train'), ('val', 'val'), ('valid', 'val'), ('test', 'test'))  # beginning of a name, split
_PEEKED = 1 << 16  # bytes
_MANY = 1 << 63


def find_files(source: FilePath) -> Dict[str, FilePath]:
    """The files of annotations of a source.

    Args:
        source: a ``.json`` file; a folder with ``annotations/instances_*.json``, or with these files; or one with
            folders of pictures, each with an ``_annotations.coco.json``.

    Returns:
        Split, or the name of the file without its suffix -> path; empty if there are none.
    """
    if source.is_file():
        return {_split(source.stem) or source.stem: source}
    instances = [*matching(source / 'annotations', '*.json'), *matching(source, 'instances_*.json')]
    chosen = [path for path in instances if path.name.startswith('instances_')] or instances
    files = [
        (path.stem[len('instances_') :] if path.name.startswith('instances_') else path.stem, path) for path in chosen
    ]
    files += [(path.parent.name, path) for path in matching(source, '*/_annotations.coco.json')]
    found: Dict[str, FilePath] = {}
    for name, path in files:
        split = _split(name) or name
        if split in found:
            raise UsageError(f'{found[split]} and {path} are both for the {split} split: give one of the files')
        found[split] = path
    return found


def unused_files(files: Mapping[str, FilePath]) -> List[FilePath]:
    """The other ``.json`` files in the folders of annotations, such as those of captions.

    Args:
        files: see :func:`find_files`.
    """
    used = set(files.values())
    folders = sorted({path.parent for path in used if path.parent.name == 'annotations'})
    return [path for folder in folders for path in matching(folder, '*.json') if path not in used]


def is_coco(source: FilePath) -> bool:
    """Whether a source seems to be of this format: a ``.json`` is judged by its beginning."""
    if source.is_file():
        with open_regular(source) as file:
            begin = file.read(_PEEKED)
        return source.suffix.lower() == '.json' and any(f'"{name}"'.encode() in begin for name in LISTS)
    return bool(find_files(source))


def check_files(path: FilePath, ids: Sequence[int], names: Sequence[str]) -> None:
    """Check that each picture has one entry: of two, it would be packed twice, with some of its boxes each time.

    Args:
        path: the file of annotations, for the message.
        ids: the ids of the pictures.
        names: the name of each, see :func:`.reading.checked_name`.

    Raises:
        DataError: two of them have one name.
    """
    if len(set(names)) < len(names):
        first: Dict[str, int] = {}
        for number, name in zip(ids, names):
            if first.setdefault(name, number) != number:
                both = f'{first[name]} and {number}'
                raise DataError(f'{path}: images {both} are both of the file {shown(name)}: give them one entry')


def _split(stem: str) -> Optional[str]:
    name = stem.lower()
    name = name[len('instances_') :] if name.startswith('instances_') else name
    return next((split for begin, split in _SPLITS if name.startswith(begin)), None)


def pictures_folder(path: FilePath, name: str, names: Sequence[str], given: Optional[FilePath]) -> FilePath:
    """The folder of the pictures: the first of the usual places that has the first picture.

    Args:
        path: the file of annotations.
        name: name of its split.
        names: the pictures.
        given: the folder, if it is known.

    Raises:
        UsageError: it is in none of these places.
    """
    if given is not None:
        return given
    stem = path.stem[len('instances_') :] if path.stem.startswith('instances_') else path.stem
    near = [path.parent, path.parent.parent]
    places = [
        folder / part for folder in near for part in ('', stem, name, 'images', f'images/{stem}', f'images/{name}')
    ]
    if not names:
        return path.parent
    for place in places:
        if (place / names[0]).is_file():
            return place
    raise UsageError(
        f'{path}: its first picture {printable(names[0])} is in none of the usual places beside it: give --root FOLDER'
    )


def whole_number(item: Any, key: str) -> int:
    """A value of an image, an annotation or a category.

    Raises:
        ValueError: it is no whole number.
    """
    value = item.get(key) if isinstance(item, dict) else None
    if type(value) is int and -_MANY < value < _MANY:  # nearly all are
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_MANY < value < _MANY:
        raise ValueError(f'{key} must be a whole number, got {shown(value if isinstance(item, dict) else item)}')
    return value


def stated_size(image: Any) -> Tuple[int, int]:
    """Height and width that an image states; 0 where it states none.

    Raises:
        ValueError: they are no size.
    """
    height, width = (whole_number(image, key) if image.get(key) is not None else 0 for key in ('height', 'width'))
    if not (0 <= height < MAX_SIDE and 0 <= width < MAX_SIDE):
        raise ValueError(f'a size of {width} x {height} pixels')
    return height, width

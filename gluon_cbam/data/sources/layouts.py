"""Detection of the layout in which images are stored: each layout is a row of :data:`LAYOUTS`."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike

from .compact_lists import Labels, Names
from .file_trees import EXTENSIONS, Tree, children, open_listed, open_tree
from .labels import assign, read_classes, read_list
from .tars import is_tar

_SPLITS = ('train', 'val')
_MAX_CLASSES = 1 << 24  # integers that float32 represents exactly


@dataclass(frozen=True)
class Part:
    """The images for one ``.rec`` file.

    Attributes:
        name: name of the file, without the suffix.
        tree: the tree that contains the images.
        numbers: indices of the images in the tree.
        labels: labels of each image, one or more.
        other: number of other files next to them, which are ignored.
    """

    name: str
    tree: Tree
    numbers: Sequence[int]
    labels: Sequence[Tuple[float, ...]]
    other: int = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def image(self, index: int) -> str:
        """The path of an image in the tree."""
        return self.tree.names[self.numbers[index]]

    def path(self, index: int) -> str:
        """The path of an image, including the path of its folder or tar file."""
        return str(self.tree.path / self.image(index))


class Dataset(NamedTuple):
    """Images and their classes.

    Attributes:
        layout: name of the detected layout.
        parts: the parts, at least one.
        classes: names of the classes, in the order of the class indices; empty if the labels are not classes.
    """

    layout: str
    parts: List[Part]
    classes: List[str]


@dataclass
class _Request:
    source: Path
    root: Optional[Path]
    labels: Optional[Path]
    classes_file: Optional[Path]

    @cached_property
    def tree(self) -> Tree:
        return open_tree(self.source)

    @cached_property
    def ordered(self) -> Optional[List[str]]:
        """The names in the classes file; None without one."""
        return read_classes(self.classes_file) if self.classes_file else None

    @cached_property
    def base(self) -> str:
        """The common parent folder of all files of a tar file, such as ``imagenette2/``; empty for a folder."""
        prefix = ''
        while not self.source.is_dir():
            folders = children(self.tree, prefix)
            if len(folders) != 1 or not children(self.tree, f'{prefix}{folders[0]}/'):
                break
            prefix += folders[0] + '/'
        return prefix


class Layout(NamedTuple):
    """A layout of images.

    Attributes:
        name: name of the layout in messages.
        matches: whether a request has this layout.
        read: returns the parts and classes of a request.
        options: the supported ones of ``root`` and ``labels``.
    """

    name: str
    matches: Callable[[_Request], bool]
    read: Callable[[_Request], Tuple[List[Part], List[str]]]
    options: Tuple[str, ...] = ()


def read_source(
    source: PathLike,
    root: Optional[PathLike] = None,
    labels: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
) -> Dataset:
    """Find the images of a source and their labels.

    Args:
        source: a folder or tar file of class folders, or with ``train/`` and ``val/`` of class folders; a folder or tar
            file of images without class folders, with ``labels``; a ``.lst`` or ``path label`` list; a folder with
            ``train_list.txt``.
        root: the folder or tar file that the paths of a list are relative to; by default, the folder of the list.
        labels: label file of images that are not in class folders; see :func:`gluon_cbam.data.sources.labels.assign`.
        classes_file: file with the names of the classes; see :func:`gluon_cbam.data.sources.labels.read_classes`.

    Returns:
        The parts of the detected layout, and the names of the classes.

    Raises:
        UsageError: the source does not exist, holds no images, or does not define what the labels mean.
        DataError: a file is damaged, or does not fit the others.
    """
    source = Path(source)
    if not source.exists():
        raise UsageError(f'no folder, tar file or list {str(source)!r}')
    request = _Request(source, *(Path(path) if path else None for path in (root, labels, classes_file)))
    layout = next(row for row in LAYOUTS if row.matches(request))
    for option, value in (('root', root), ('labels', labels)):
        if value and option not in layout.options:
            raise UsageError(f'{source} has the layout {layout.name!r}: leave out --{option}')
    parts, classes = layout.read(request)
    return Dataset(layout.name, parts, classes)


def _is_list(request: _Request) -> bool:
    return request.source.is_file() and not is_tar(request.source)


def _has_lists(request: _Request) -> bool:
    return (request.source / 'train_list.txt').is_file()


def _splits(request: _Request) -> List[str]:
    return [name for name in _SPLITS if request.base + name in request.tree.folders]


def _is_flat(request: _Request) -> bool:
    return bool(request.labels) and 'train' not in _splits(request)


def _from_list(request: _Request) -> Tuple[List[Part], List[str]]:
    part, names = _listed(request.source, request.root or request.source.parent)
    return [part], request.ordered or names


def _from_lists(request: _Request) -> Tuple[List[Part], List[str]]:
    paths = [request.source / f'{split}_list.txt' for split in _SPLITS]
    found = [_listed(path, request.root or request.source) for path in paths if path.is_file()]
    if len(found) == 2:
        classes, others = found[0][1], found[1][1]
        named = [n for n, pair in enumerate(zip(classes, others)) if str(n) not in pair]
        clash = [n for n in named if classes[n] != others[n]]
        if clash:
            raise DataError(
                f'label {clash[0]} is {classes[clash[0]]!r} in {paths[0]} and {others[clash[0]]!r} in {paths[1]}'
            )
    return [part for part, _ in found], request.ordered or found[0][1]


def _listed(path: Path, root: Path) -> Tuple[Part, List[str]]:
    """The part of a list, and the names of its classes."""
    names, labels = read_list(path)
    stem = path.stem[: -len('_list')] if path.name.endswith('_list.txt') else path.stem
    tree, numbers = open_listed(root, names)
    return Part(stem, tree, numbers, labels), _names_of_labels(names, labels)


def _names_of_labels(names: Names, labels: Labels) -> List[str]:
    """The folder names if each label has one folder, else the labels; empty if the labels are not classes."""
    folders: Dict[int, set] = {}
    for name, (label, *_) in zip(names, labels):
        if not 0 <= label < _MAX_CLASSES or label != int(label):
            return []
        folders.setdefault(int(label), set()).add(Path(name).parent.name)
    found = {label: next(iter(inside)) for label, inside in folders.items() if len(inside) == 1}
    if len(set(found.values())) < len(folders):
        found = {}
    return [found.get(label, str(label)) for label in range(max(folders) + 1)]


def _from_splits(request: _Request) -> Tuple[List[Part], List[str]]:
    splits = _splits(request)
    if splits[0] != 'train':
        raise UsageError(f'{request.source} has val/ but no train/')
    train, classes = _class_folders(request, 'train', f'{request.base}train/')
    if len(splits) == 1:
        return [train], classes
    prefix = f'{request.base}val/'
    if children(request.tree, prefix):
        if request.labels:
            raise UsageError(f'{request.source}: val/ has class folders: leave out --labels')
        return [train, _class_folders(request, 'val', prefix, classes)[0]], classes
    if not request.labels:
        raise UsageError(f'{request.source}: val/ has no class folders: name the classes of its images with --labels')
    return [train, _flat(request, request.labels, 'val', prefix, classes)[0]], classes


def _from_flat(request: _Request) -> Tuple[List[Part], List[str]]:
    assert request.labels is not None  # see _is_flat
    folders = {image.rpartition('/')[0] for image in request.tree.names}
    if len(folders) > 1:
        raise UsageError(f'{request.source}: its images are in {len(folders)} class folders: leave out --labels')
    part, classes = _flat(request, request.labels, 'val', '', None)
    return [part], classes


def _from_class_folders(request: _Request) -> Tuple[List[Part], List[str]]:
    part, classes = _class_folders(request, 'train', request.base)
    return [part], classes


def _class_folders(
    request: _Request, name: str, prefix: str, classes: Optional[List[str]] = None
) -> Tuple[Part, List[str]]:
    """The images in class folders, and the classes: as given, from the classes file, or the names of the folders."""
    tree = request.tree
    found = children(tree, prefix)
    class_source = 'train/' if classes else request.classes_file
    classes = classes or sorted(request.ordered or found)
    unknown = sorted(set(found) - set(classes))
    if unknown:
        raise DataError(f'{tree.path / prefix / unknown[0]}: a class that {class_source} does not have')
    index_of = {class_name: number for number, class_name in enumerate(classes)}
    numbers, labels = array('q'), Labels()
    for number, image in enumerate(tree.names):
        folder, slash, _ = image[len(prefix) :].partition('/')
        if slash and image.startswith(prefix):
            numbers.append(number)
            labels.append((index_of[folder],))
    if not numbers:
        raise UsageError(f'no images ({", ".join(EXTENSIONS)}) in the class folders of {tree.path / prefix}')
    return Part(name, tree, numbers, labels, _other(tree, prefix)), classes


def _flat(
    request: _Request, labels_file: Path, name: str, prefix: str, known: Optional[List[str]]
) -> Tuple[Part, List[str]]:
    """Images without class folders, with classes from the label file, and the names of the classes."""
    tree = request.tree
    numbers = array('q', (number for number, image in enumerate(tree.names) if image.startswith(prefix)))
    if not numbers:
        raise UsageError(f'no images ({", ".join(EXTENSIONS)}) in {tree.path / prefix}')
    by_name = sorted(range(len(numbers)), key=lambda index: tree.names[numbers[index]])
    assigned = assign(labels_file, [tree.names[numbers[index]] for index in by_name], request.ordered, known)
    class_of = dict(zip(by_name, assigned.numbers))
    labels = Labels((class_of[index],) for index in range(len(numbers)))
    return Part(name, tree, numbers, labels, _other(tree, prefix)), assigned.classes


def _other(tree: Tree, prefix: str) -> int:
    return sum(count for folder, count in tree.other.items() if f'{folder}/'.startswith(prefix))


LAYOUTS: Sequence[Layout] = (
    Layout('a list', _is_list, _from_list, ('root',)),
    Layout('train_list.txt and val_list.txt', _has_lists, _from_lists, ('root',)),
    Layout('images with a label file', _is_flat, _from_flat, ('labels',)),
    Layout('train/ and val/', lambda request: bool(_splits(request)), _from_splits, ('labels',)),
    Layout('class folders', lambda request: True, _from_class_folders),
)
"""The layouts in the order in which they are tried."""

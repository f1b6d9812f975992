"""Detection of the layout in which images are stored: each layout is a row of :data:`LAYOUTS`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.limits import MAX_CLASSES
from gluon_cbam.common.listing import listed
from gluon_cbam.data.records.labels import checked_index

from .arrays.formats import FORMATS, ArrayFormat, is_array_set, read_dataset
from .arrays.sets import NO_OPTIONS, ArrayOptions
from .compact_lists import Labels, Names
from .file_trees import Tree, children, open_listed, open_tree
from .labels import ListedLabels, in_order_of_indices, read_classes, read_list
from .left_out import LeftOut
from .parts import Dataset, Part, check_names
from .splits import find_splits, refuse_splits_in_classes
from .tars import is_tar
from .tree_parts import KnownClasses, class_folders, count_left_out, labeled_images

_LISTS = ('train', 'val')  # of train_list.txt and val_list.txt
_MAX_NAMED = 1 << 20  # classes of a list that are named after their numbers
_OF_LISTS = ('root', 'label-index', 'all-labels')  # options


@dataclass
class _Request:
    source: Path
    chosen: ListedLabels
    arrays: ArrayOptions
    root: Optional[Path]
    labels: Optional[Path]
    classes_file: Optional[Path]
    output: Optional[Path]

    @cached_property
    def tree(self) -> Tree:
        return open_tree(self.source, self.output)

    @cached_property
    def ordered(self) -> Optional[List[str]]:
        """The names in the classes file; None without one."""
        return read_classes(self.classes_file) if self.classes_file else None

    @property
    def known(self) -> KnownClasses:
        """The names in the classes file, in the order of the class indices."""
        names = in_order_of_indices(self.classes_file, self.ordered) if self.classes_file and self.ordered else None
        return KnownClasses(names, str(self.classes_file))

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

    @cached_property
    def splits(self) -> Dict[str, str]:
        """Split -> path of its folder; empty without splits."""
        return find_splits(self.tree, self.base)


class _Found(NamedTuple):
    """The parts of a request, the names of the classes, what is left out, and notes."""

    parts: List[Part]
    classes: List[str]
    left_out: LeftOut
    notes: Sequence[str] = ()


class Layout(NamedTuple):
    """A layout of images.

    Attributes:
        name: name of the layout in messages.
        matches: whether a request has this layout.
        read: finds the parts and classes of a request.
        options: the supported ones of ``root``, ``labels``, ``label-index`` and ``all-labels``, and of arrays.
    """

    name: str
    matches: Callable[[_Request], bool]
    read: Callable[[_Request], _Found]
    options: Tuple[str, ...] = ()


def read_source(
    source: PathLike,
    root: Optional[PathLike] = None,
    labels: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    output: Optional[PathLike] = None,
    label_index: Optional[int] = None,
    all_labels: bool = False,
    arrays: ArrayOptions = NO_OPTIONS,
) -> Dataset:
    """Find the images of a source and their labels.

    Args:
        source: a folder or tar file of class folders, or with folders of class folders for the splits, such as
            ``train/``, ``val/`` and ``test/`` (see :data:`gluon_cbam.data.sources.splits.SPLITS`); a folder or tar file
            of images without class folders, with ``labels``; a ``.lst`` or ``path label`` list; a folder with
            ``train_list.txt``; or a data set of arrays, see :data:`gluon_cbam.data.sources.arrays.formats.FORMATS`.
        root: the folder or tar file that the paths of a list are relative to; by default, the folder of the list.
        labels: label file of images that are not in class folders; see :func:`gluon_cbam.data.sources.labels.assign`.
        classes_file: file with the names of the classes; see :func:`gluon_cbam.data.sources.labels.read_classes`.
        output: the folder of the results; where it is below the source, it is no class of it.
        label_index: the label of the lines of a list that is the class, from 0; by default, their only one.
        all_labels: take all labels of a list, which may be any numbers, for other tasks than classification.
        arrays: options of data sets of arrays.

    Returns:
        The parts of the detected layout, the names of the classes, and what is left out. A class folder without images
        is a class like the others, so that the others have the same indices as with ``classes_file``.

    Raises:
        UsageError: the source does not exist, holds no images, or does not define what the labels mean.
        DataError: a file is damaged, or does not fit the others.
    """
    source = Path(source)
    if not source.exists():
        raise UsageError(f'no folder, tar file or list {str(source)!r}')
    if all_labels and label_index is not None:
        raise UsageError(f'--label-index {label_index} and --all-labels exclude each other: give one of them')
    chosen = ListedLabels(checked_index(label_index), all_labels)
    paths = (Path(path) if path else None for path in (root, labels, classes_file, output))
    request = _Request(source, chosen, arrays, *paths)
    layout = next(row for row in LAYOUTS if row.matches(request))
    options: Dict[str, object] = {'root': root, 'labels': labels, 'label-index': label_index}
    options['all-labels'] = all_labels or None
    options.update((name.replace('_', '-'), value) for name, value in arrays._asdict().items())
    for option, value in options.items():
        if value is not None and option not in layout.options:
            raise UsageError(f'{source} has the layout {layout.name!r}: leave out --{option}')
    found = layout.read(request)
    check_names(found.classes)
    return Dataset(layout.name, *found)


def is_list(source: Path) -> bool:
    """Whether a source is a list of images."""
    return source.is_file() and not is_tar(source) and not is_array_set(source)


def _has_lists(request: _Request) -> bool:
    return (request.source / 'train_list.txt').is_file()


def _is_flat(request: _Request) -> bool:
    return bool(request.labels) and 'train' not in request.splits


def _from_list(request: _Request) -> _Found:
    part, names = _listed(request.source, request.root or request.source.parent, request.chosen)
    return _Found([part], request.ordered or names, LeftOut())


def _from_lists(request: _Request) -> _Found:
    paths = [request.source / f'{split}_list.txt' for split in _LISTS]
    found = [_listed(path, request.root or request.source, request.chosen) for path in paths if path.is_file()]
    if len(found) == 2:
        classes, others = found[0][1], found[1][1]
        named = [n for n, pair in enumerate(zip(classes, others)) if str(n) not in pair]
        clash = [n for n in named if classes[n] != others[n]]
        if clash:
            raise DataError(
                f'label {clash[0]} is {classes[clash[0]]!r} in {paths[0]} and {others[clash[0]]!r} in {paths[1]}'
            )
    return _Found([part for part, _ in found], request.ordered or found[0][1], LeftOut())


def _listed(path: Path, root: Path, chosen: ListedLabels) -> Tuple[Part, List[str]]:
    """The part of a list, and the names of its classes."""
    names, labels = read_list(path, chosen)
    stem = path.stem[: -len('_list')] if path.name.endswith('_list.txt') else path.stem
    tree, numbers = open_listed(root, names)
    return Part(stem, tree, numbers, labels), _names_of_labels(names, labels)


def _names_of_labels(names: Names, labels: Labels) -> List[str]:
    """The folder names if each label has one folder, else the labels; empty if the labels are not classes."""
    folders: Dict[int, set] = {}
    for name, (label, *more) in zip(names, labels):
        if more or not 0 <= label < MAX_CLASSES or label != int(label):
            return []
        folders.setdefault(int(label), set()).add(Path(name).parent.name)
    if max(folders) >= _MAX_NAMED:
        return []
    found = {label: next(iter(inside)) for label, inside in folders.items() if len(inside) == 1}
    if len(set(found.values())) < len(folders):
        found = {}
    return [found.get(label, str(label)) for label in range(max(folders) + 1)]


def _from_splits(request: _Request) -> _Found:
    tree, splits, labels = request.tree, request.splits, request.labels
    folders = {split: folder[len(request.base) :] for split, folder in splits.items()}
    if 'train' not in splits:
        raise UsageError(f'{request.source} has {next(iter(folders.values()))} but no train/')
    train, classes = class_folders(tree, 'train', splits['train'], request.known)
    parts, unlabeled = [train], None
    for split in [split for split in splits if split != 'train']:
        if children(tree, splits[split]):
            part, _ = class_folders(tree, split, splits[split], KnownClasses(classes, folders['train']))
        elif labels:
            part, _ = labeled_images(tree, split, splits[split], labels, request.ordered, classes)
            labels = None
        elif split == 'test':  # the labels of test images are often not published
            unlabeled = splits[split]
            continue
        else:
            raise UsageError(
                f'{request.source}: {folders[split]} has no class folders: name the classes of its images with --labels'
            )
        parts.append(part)
    if labels:
        raise UsageError(f'{request.source}: {listed(folders.values())} have class folders: leave out --labels')
    return _Found(parts, classes, count_left_out(tree, parts, True, unlabeled))


def _from_flat(request: _Request) -> _Found:
    assert request.labels is not None  # see _is_flat
    folders = {image.rpartition('/')[0] for image in request.tree.names}
    if len(folders) > 1:
        raise UsageError(f'{request.source}: its images are in {len(folders)} class folders: leave out --labels')
    part, classes = labeled_images(request.tree, 'val', '', request.labels, request.ordered, request.known.names)
    return _Found([part], classes, count_left_out(request.tree, [part], False, None))


def _from_class_folders(request: _Request) -> _Found:
    refuse_splits_in_classes(request.tree, request.base)
    part, classes = class_folders(request.tree, 'train', request.base, request.known)
    return _Found([part], classes, count_left_out(request.tree, [part], False, None))


def _of_arrays(form: ArrayFormat) -> Layout:
    """The layout of data sets of a format of arrays."""

    def matches(request: _Request) -> bool:
        return form.matches(request.source)

    def read(request: _Request) -> _Found:
        return _Found(*read_dataset(form, request.source, request.arrays, request.ordered)[1:])

    return Layout(form.name, matches, read, form.options)


LAYOUTS: Sequence[Layout] = (
    *map(_of_arrays, FORMATS),
    Layout('a list', lambda request: is_list(request.source), _from_list, _OF_LISTS),
    Layout('train_list.txt and val_list.txt', _has_lists, _from_lists, _OF_LISTS),
    Layout('images with a label file', _is_flat, _from_flat, ('labels',)),
    Layout('train/ and val/', lambda request: bool(request.splits), _from_splits, ('labels',)),
    Layout('class folders', lambda request: True, _from_class_folders),
)
"""The layouts in the order in which they are tried."""

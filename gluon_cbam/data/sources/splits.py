"""Folders for the splits of a data set: training, validation and test images."""

from __future__ import annotations

from typing import Dict, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .file_paths import FilePath
from .file_trees import Tree, children

SPLITS: Dict[str, Tuple[str, ...]] = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation'),
    'test': ('test', 'testing'),
}
"""Split, the name of its ``.rec`` file -> the names of its folder, in lower case; their case is ignored."""


def _split_of(name: str) -> Optional[str]:
    """The split that a folder of this name is for; None if it is for none."""
    return next((split for split, names in SPLITS.items() if name.lower() in names), None)


def only_one(places: Sequence[FilePath], split: str) -> Optional[FilePath]:
    """The only one of some places for a split; None if there is none.

    Args:
        places: files or folders that exist.
        split: name of the split.

    Raises:
        UsageError: there are several, of which one alone would be read.
    """
    if len(places) > 1:
        twice = ' and '.join(printable(place) for place in places[:2])
        raise UsageError(f'{twice} are both for the {split} split: keep one, or give each on its own')
    return places[0] if places else None


def refuse_splits_in_classes(tree: Tree, base: str) -> None:
    """Refuse a class folder that holds splits: all their images would be of one class, the test images among them.

    Args:
        tree: the tree.
        base: path of the folder that holds the class folders, with a final ``/``; empty for the root.

    Raises:
        UsageError: a class folder holds folders for two splits, or one for training that has class folders.
    """
    found: Dict[str, Dict[str, str]] = {}
    for folder in sorted(tree.folders):
        parent, _, name = folder[len(base) :].partition('/')
        split = _split_of(name) if folder.startswith(base) else None
        if split is not None:
            found.setdefault(parent, {})[split] = name
    for parent, splits in found.items():
        if len(splits) > 1 or ('train' in splits and children(tree, f'{base}{parent}/{splits["train"]}/')):
            folders = ' and '.join(f'{printable(splits[split])}/' for split in SPLITS if split in splits)
            path = printable(tree.path / base / parent)
            raise UsageError(f'{path} has {folders}, so it is no folder of one class: pack it on its own')


def find_splits(tree: Tree, base: str) -> Dict[str, str]:
    """Find the folders of the splits.

    A folder of class folders may have a class of such a name, such as valid/ and invalid/: beside other folders with
    images, only a folder for training that has class folders is taken for a split, and the others with it.

    Args:
        tree: the tree.
        base: path of the folder that holds them, with a final ``/``; empty for the root.

    Returns:
        Split -> path of its folder, with a final ``/``, in the order of :data:`SPLITS`; empty if there are none.

    Raises:
        UsageError: two folders are for the same split.
    """
    found: Dict[str, str] = {}
    others = False
    for name in children(tree, base):
        split = _split_of(name)
        if split is None:
            others = others or any(image.startswith(f'{base}{name}/') for image in tree.names)
        elif split in found:
            twice = ' and '.join(printable(tree.path / folder) for folder in (found[split], base + name))
            raise UsageError(f'{twice} are both for the {split} split: keep one, or pack each on its own')
        else:
            found[split] = f'{base}{name}/'
    if others and not ('train' in found and children(tree, found['train'])):
        return {}
    return {split: found[split] for split in SPLITS if split in found}

"""The parts of a folder or tar file: images in class folders, and images whose classes are in a label file."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.decoding import IMAGE_ENDINGS

from .compact_lists import Labels
from .file_trees import Tree, children
from .labels import assign
from .left_out import LeftOut
from .parts import Part


class KnownClasses(NamedTuple):
    """Classes that a part must have.

    Attributes:
        names: the names; ``None`` where the part decides.
        source: what names them, for messages.
    """

    names: Optional[List[str]]
    source: str


def class_folders(tree: Tree, name: str, prefix: str, known: KnownClasses) -> Tuple[Part, List[str]]:
    """The images in class folders. A class folder without images is a class like the others.

    Args:
        tree: the tree.
        name: name of the part.
        prefix: path of the folder that holds the class folders, with a final ``/``; empty for the root.
        known: the classes in the order of the class indices; if unknown, the sorted names of the folders are.

    Returns:
        The part, and the names of the classes.

    Raises:
        DataError: a folder is none of the known classes.
        UsageError: there are no images.
    """
    found = children(tree, prefix)
    classes = found if known.names is None else known.names
    unknown = sorted(set(found) - set(classes))
    if unknown:
        raise DataError(f'{tree.path / prefix / unknown[0]}: a class that {known.source} does not have')
    index_of = {class_name: number for number, class_name in enumerate(classes)}
    numbers, labels = array('q'), Labels()
    for number, image in enumerate(tree.names):
        folder, slash, _ = image[len(prefix) :].partition('/')
        if slash and image.startswith(prefix):
            numbers.append(number)
            labels.append((index_of[folder],))
    if not numbers:
        raise UsageError(
            f'no images ({", ".join(IMAGE_ENDINGS)}) in the class folders of {tree.path / prefix}: put the images '
            'of each class into a folder of its own, or give --labels'
        )
    return Part(name, tree, numbers, labels, prefix), classes


def labeled_images(
    tree: Tree, name: str, prefix: str, labels_file: Path, ordered: Optional[List[str]], known: Optional[List[str]]
) -> Tuple[Part, List[str]]:
    """Images without class folders, with classes from a label file.

    Args:
        tree: the tree.
        name: name of the part.
        prefix: path of the folder that holds the images, with a final ``/``; empty for the root.
        labels_file: see :func:`gluon_cbam.data.sources.labels.assign`.
        ordered: see :func:`gluon_cbam.data.sources.labels.assign`.
        known: see :func:`gluon_cbam.data.sources.labels.assign`.

    Returns:
        The part, and the names of the classes.

    Raises:
        DataError: the file does not fit the images or the classes.
        UsageError: there are no images, or the file is missing or ambiguous.
    """
    numbers = array('q', (number for number, image in enumerate(tree.names) if image.startswith(prefix)))
    if not numbers:
        raise UsageError(f'no images ({", ".join(IMAGE_ENDINGS)}) in {tree.path / prefix}')
    by_name = sorted(range(len(numbers)), key=lambda index: tree.names[numbers[index]])
    assigned = assign(labels_file, [tree.names[numbers[index]] for index in by_name], ordered, known)
    class_of = dict(zip(by_name, assigned.numbers))
    labels = Labels((class_of[index],) for index in range(len(numbers)))
    return Part(name, tree, numbers, labels, prefix), assigned.classes


def count_left_out(tree: Tree, parts: Sequence[Part], split: bool, unlabeled: Optional[str]) -> LeftOut:
    """Count what is in a tree and in none of its parts, for each part and for all of the tree.

    Args:
        tree: the tree.
        parts: its parts; their counts are filled.
        split: whether the parts are splits.
        unlabeled: path of a folder whose images have no labels, with a final ``/``; None without one.

    Returns:
        The counts of the whole tree.
    """
    total, unused = LeftOut(), np.ones(len(tree.names), bool)
    for part in parts:
        unused[np.asarray(part.numbers, np.int64)] = False
    for number in np.flatnonzero(unused).tolist():
        image = tree.names[number]
        part_of = next((part for part in parts if image.startswith(part.prefix)), None)
        kind = 'beside_classes' if part_of or not split else 'outside_splits'
        kind = 'unlabeled' if unlabeled is not None and image.startswith(unlabeled) else kind
        for left_out in (total, *([part_of.left_out] if part_of else [])):
            left_out.add(kind, image)
    for folder, others in tree.others.items():
        part_of = next((part for part in parts if f'{folder}/'.startswith(part.prefix)), None)
        for left_out in (total, *([part_of.left_out] if part_of else [])):
            left_out.update(others)
    return total

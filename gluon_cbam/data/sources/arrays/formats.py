"""The formats of data sets of arrays: each is a row of :data:`FORMATS`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.listing import listed

from ..compact_lists import Labels
from ..parts import Dataset, Part
from .cifar import VERSIONS, is_cifar, read_cifar
from .class_numbers import number_classes
from .idx_sets import is_idx, read_idx_set
from .sets import ArrayOptions, ArraySet
from .svhn import is_svhn, read_svhn
from .trees import ArrayTree


class ArrayFormat(NamedTuple):
    """A format of data sets.

    Attributes:
        name: its name in messages.
        matches: whether a path is a data set of this format.
        read: reads it, with options.
        options: the supported fields of :class:`.sets.ArrayOptions`, as flags without ``--``.
    """

    name: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, ArrayOptions], ArraySet]
    options: Tuple[str, ...] = ()


FORMATS: Sequence[ArrayFormat] = (
    ArrayFormat('IDX files', is_idx, read_idx_set, ('transpose', 'value-range')),
    *(
        ArrayFormat(version.name, partial(is_cifar, version), partial(read_cifar, version), version.options)
        for version in VERSIONS
    ),
    ArrayFormat('cropped digits of SVHN', is_svhn, read_svhn),
)
"""The formats in the order in which they are tried."""


def is_array_set(source: Path) -> bool:
    """Whether a path is a data set of arrays.

    Args:
        source: path of a file or folder that exists.
    """
    return any(form.matches(source) for form in FORMATS)


def read_dataset(form: ArrayFormat, source: Path, options: ArrayOptions, names: Optional[List[str]]) -> Dataset:
    """Read a data set as images and classes.

    Args:
        form: its format.
        source: its path.
        options: options of the format.
        names: the names of its classes in the order of the labels; default those that are known of it.

    Returns:
        The images of each split, and the names of the classes.

    Raises:
        UsageError: it is incomplete or ambiguous, or there are sets of other formats beside it.
        DataError: a file is damaged, or does not fit the others.
    """
    kinds = [each.name for each in FORMATS if each.matches(source)]
    if len(kinds) > 1:
        raise UsageError(f'{source} holds {listed(kinds)}: give the folder or the archive of one alone')
    found = form.read(source, options)
    labels, classes = number_classes([part.labels for part in found.parts], found.classes, found.first, names, source)
    parts = [
        Part(part.name, ArrayTree(part.path, part.pixels), range(len(numbers)), Labels((n,) for n in numbers.tolist()))
        for part, numbers in zip(found.parts, labels)
    ]
    return Dataset(form.name, parts, classes, found.left_out, found.notes)

"""The names of the classes of well-known data sets whose files do not hold them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import FrozenSet, NamedTuple, Optional, Sequence, Tuple

import numpy as np

_SEPARATORS = re.compile(r'[-_. ]')
_UNMERGED = 'abdefghnqrt'  # the small letters that EMNIST tells from the capital ones
FASHION = (
    'T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot',
)  # fmt: skip
"""The classes of Fashion-MNIST. Source: its README."""


class KnownSet(NamedTuple):
    """A data set.

    Attributes:
        name: its name.
        classes: the names of its classes.
        first: the label of the first class.
        labels: SHA-256 of the labels of each split, as bytes.
        files: the beginning of the names of its files, in lower case; None where other sets have the same names.
        folders: the names of its folder in lower case, without separators.
    """

    name: str
    classes: Tuple[str, ...]
    first: int = 0
    labels: FrozenSet[str] = frozenset()
    files: Optional[str] = None
    folders: Tuple[str, ...] = ()


KNOWN: Sequence[KnownSet] = (
    KnownSet(
        'Fashion-MNIST',
        FASHION,
        labels=frozenset(
            (
                '657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7',
                '3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9',
            )
        ),
        folders=('fashionmnist',),
    ),
    KnownSet(
        'Kuzushiji-MNIST',
        ('o', 'ki', 'su', 'tsu', 'na', 'ha', 'ma', 'ya', 're', 'wo'),
        folders=('kmnist', 'kuzushijimnist'),
    ),
    KnownSet('EMNIST Letters', tuple(ascii_uppercase), first=1, files='emnist-letters-'),
    KnownSet('EMNIST ByClass', tuple(digits + ascii_uppercase + ascii_lowercase), files='emnist-byclass-'),
    KnownSet('EMNIST ByMerge', tuple(digits + ascii_uppercase + _UNMERGED), files='emnist-bymerge-'),
    KnownSet('EMNIST Balanced', tuple(digits + ascii_uppercase + _UNMERGED), files='emnist-balanced-'),
    KnownSet('EMNIST Digits', tuple(digits), files='emnist-digits-'),
    KnownSet('EMNIST MNIST', tuple(digits), files='emnist-mnist-'),
)
"""Sources: torchvision, ``datasets/mnist.py``; G. Cohen et al., "EMNIST: extending MNIST to handwritten letters",
2017."""


def known_set(folder: Path, prefix: str, labels: Sequence[np.ndarray]) -> Optional[KnownSet]:
    """Recognize a data set by its labels, the names of its files, or the name of its folder or the one above.

    Args:
        folder: folder of the files.
        prefix: what the names of its files begin with, such as ``emnist-letters-``.
        labels: the labels of each split.

    Returns:
        The set; None if it is none, or has other labels than that set can have.
    """
    hashes = {hashlib.sha256(values.astype(np.uint8).tobytes()).hexdigest() for values in labels}
    names = {_SEPARATORS.sub('', name.lower()) for name in folder.resolve().parts[-2:]}
    low, high = min(values.min() for values in labels), max(values.max() for values in labels)
    for row in KNOWN:
        if not row.first <= low <= high < row.first + len(row.classes):
            continue
        if hashes & row.labels or (row.files and prefix.lower() == row.files) or names & set(row.folders):
            return row
    return None

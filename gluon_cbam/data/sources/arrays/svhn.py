"""The cropped digits of SVHN, ``train_32x32.mat`` and others: MATLAB's files of ``X`` and ``y``.

``X`` is (32, 32, 3, N) uint8 RGB, and ``y`` (N, 1) has the digits 1 to 9, and 10 for 0. Source: Y. Netzer et al., the
page of The Street View House Numbers (SVHN) Dataset, format 2.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Dict, List

import numpy as np

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.errors import DataError

from .class_numbers import checked_labels
from .sets import ArrayOptions, ArrayPart, ArraySet

_NAME = re.compile(r'(train|test|extra)_32x32\.mat', re.IGNORECASE)
_SPLITS = {'train': 'train', 'test': 'val', 'extra': 'extra'}
_ZERO = 10  # the label of the digit 0
_EXPANSION, _EXPANSION_RATE = 1 << 30, 250  # bytes that X may have, and a multiple of the size of its file


def is_svhn(source: Path) -> bool:
    """Whether a path is a file of cropped digits, or a folder with some.

    Args:
        source: path of the file or folder.
    """
    return bool(_files(source))


def read_svhn(source: Path, options: ArrayOptions) -> ArraySet:
    """Read a file, or all files of a folder.

    Args:
        source: the file or folder.
        options: none of them.

    Returns:
        The contents: ``train``, ``val`` of the test images, and ``extra``.

    Raises:
        DataError: a file is damaged, or holds something else.
    """
    files = _files(source)
    parts = [_read(_SPLITS[split], files[split]) for split in _SPLITS if split in files]
    return ArraySet(parts, [str(digit) for digit in range(10)], notes=[f'label {_ZERO} is the digit 0, class 0'])


def _files(source: Path) -> Dict[str, Path]:
    """Split -> its file."""
    paths: List[Path] = sorted(source.iterdir()) if source.is_dir() else [source]
    found = ((_NAME.fullmatch(path.name), path) for path in paths)
    return {match[1].lower(): path for match, path in found if match and path.is_file()}


def _read(split: str, path: Path) -> ArrayPart:
    """The images and labels of a file."""
    from scipy.io import loadmat, whosmat

    with reading(path, 'no file of cropped digits of SVHN'):
        shapes = {name: shape for name, shape, _ in whosmat(str(path))}
        shape = shapes.get('X', ())
        if len(shape) != 4 or shape[2] != 3 or min(shape) < 1 or shapes.get('y') not in ((shape[3], 1), (1, shape[3])):
            raise Damaged(f'its arrays are {shapes}, and not X of height, width, 3 and images, and y of images and 1')
        if math.prod(shape) > _EXPANSION + _EXPANSION_RATE * path.stat().st_size:
            raise Damaged(f'it states {shape[3]} images, more than its size can hold')
        values = loadmat(str(path), variable_names=('X', 'y'))
        pixels, labels = values['X'], values['y'].ravel()
        if pixels.dtype != np.uint8 or pixels.shape != shape or len(labels) != shape[3]:
            raise Damaged(f'X is {pixels.dtype} of the shape {pixels.shape}, and not uint8 of {shape}')
    numbers = checked_labels(labels, path)
    if not 1 <= numbers.min() <= numbers.max() <= _ZERO:
        raise DataError(f'{path}: labels in {numbers.min()}..{numbers.max()}, and not the digits 1..9 and 10 for 0')
    return ArrayPart(split, path, pixels.transpose(3, 0, 1, 2), numbers % _ZERO)

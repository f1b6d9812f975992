"""The weights of classes in the loss, from a file or from how many images each class has."""

from __future__ import annotations

import hashlib
import math
from typing import Callable, Optional

import numpy as np

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.protocols import Settings

BALANCED = 'balanced'
"""The value of the setting ``class_weights`` for the inverse frequencies."""

SMALLEST, LARGEST = 1e-6, 1e6
"""Bounds of weights in a file besides 0, within which sums of weighted losses are exact enough in float32."""


def class_weights(settings: Settings, of_images: Callable[[], np.ndarray]) -> Optional[np.ndarray]:
    """The weights that the setting ``class_weights`` asks for.

    Args:
        settings: ``class_weights`` and ``classes`` are read.
        of_images: gives those that follow from how many images each class has, for :data:`BALANCED`.

    Returns:
        (classes,) float64; None for a loss without weights.

    Raises:
        UsageError: there is no such file, or a class has no images to be balanced.
        DataError: the file does not hold a weight for each class.
    """
    given = settings['class_weights']
    if given is None:
        return None
    return of_images() if given == BALANCED else weights_in(given, settings['classes'])


def balanced(data: RecordFile, classes: int) -> np.ndarray:
    """The inverse frequencies: images over classes times images of the class, as scikit-learn's ``balanced``.

    Args:
        data: the records, whose labels are classes.
        classes: K.

    Returns:
        (K,) float64; their mean over the images is 1.

    Raises:
        UsageError: a class has no images.
    """
    images = np.bincount(data.labels.astype(np.int64), minlength=classes)
    if not images.all():
        empty = np.flatnonzero(images == 0)
        raise UsageError(
            f'--class-weights {BALANCED}: {len(empty)} of {classes} classes have no images in {data.path}, the first '
            f'is class {empty[0]}, and no frequency to invert: give a FILE with the weights'
        )
    return len(data) / (classes * images)


def weights_in(path: PathLike, classes: int) -> np.ndarray:
    """Read weights, one in a line in the order of the classes.

    Args:
        path: a text file.
        classes: K.

    Returns:
        (K,) float64.

    Raises:
        UsageError: there is no such file.
        DataError: it does not hold K numbers that are 0 or within :data:`SMALLEST` and :data:`LARGEST`, one of which is
            above 0.
    """
    try:
        lines = read_text(path).rstrip().split('\n')
    except FileNotFoundError:
        raise UsageError(f'--class-weights {path}: no such file: give one, or {BALANCED}') from None
    if len(lines) != classes:
        raise DataError(f'{path} has {len(lines)} lines, for {classes} classes: write a weight for each, one in a line')
    weights = np.array([_weight(line, f'{path}:{number}') for number, line in enumerate(lines, 1)])
    if not weights.any():
        raise DataError(f'{path}: all weights are 0: no class would be learned')
    return weights


def digest(weights: np.ndarray) -> str:
    """The SHA-256 of weights, by which a resumed run recognizes them."""
    return hashlib.sha256(weights.astype('<f8').tobytes()).hexdigest()


def _weight(line: str, where: str) -> float:
    try:
        weight = float(line)
    except ValueError:
        weight = math.nan
    if weight != 0 and not SMALLEST <= weight <= LARGEST:
        raise DataError(f'{where}: a weight is 0 or from {SMALLEST:g} to {LARGEST:g}, got {shown(line.strip())}')
    return weight

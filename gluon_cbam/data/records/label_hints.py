"""Hints about labels that are valid, but look wrong: classes counted from 1, classes without images."""

from __future__ import annotations

from typing import List, Optional

import numpy as np

from .labels import are_classes


def label_hints(labels: np.ndarray, where: str, classes: Optional[int] = None) -> List[str]:
    """Describe classes without images.

    Args:
        labels: (N,) float32, the label of each record.
        where: path of the file, for the lines.
        classes: number of classes; default up to the largest label.

    Returns:
        One line if labels seem to count the classes from 1, and one line if further classes have no images. None for
        labels that are not class indices.
    """
    if not len(labels) or not are_classes(labels).all():
        return []
    images = np.bincount(labels.astype(np.int64), minlength=classes or 0)
    empty = np.flatnonzero(images == 0)
    hints = []
    if images[0] == 0 and len(images) > 1 and images[1]:
        hints.append(
            f'{where}: no image is of class 0, and the labels are 1..{int(labels.max())}: if they count the classes '
            'from 1, every label is wrong by one'
        )
        empty = empty[1:]
    if len(empty):
        hints.append(f'{where}: {len(empty)} of {len(images)} classes have no images, the first is class {empty[0]}')
    return hints

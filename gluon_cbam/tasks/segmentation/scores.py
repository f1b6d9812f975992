"""The scores of segmentation, all from one table: how many pixels of each class were found as which."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy as np

from gluon_cbam.data.class_masks.values import IGNORED


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Count the pixels of a picture that are not ignored.

    Args:
        truth: (H, W) uint8, classes or :data:`IGNORED`.
        found: (H, W) integers, classes.
        classes: number of classes.

    Returns:
        (classes, classes) int64: row by the true class, column by the one that was found.
    """
    counted = truth != IGNORED
    pairs = truth[counted].astype(np.int64) * classes + found[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


class MaskScores:
    """The figures of a table of pixels.

    Args:
        table: (classes, classes), the sum of :func:`confusion` over all pictures.
        classes: names of the classes.

    Attributes:
        table: as given, int64.
        classes: as given.
    """

    def __init__(self, table: np.ndarray, classes: Sequence[str]) -> None:
        self.table, self.classes = np.asarray(table).astype(np.int64), tuple(classes)

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of each class; NaN for one that neither the truth nor the predictions have."""
        hits = np.diag(self.table).astype(np.float64)
        unions = self.table.sum(axis=0) + self.table.sum(axis=1) - hits
        with np.errstate(invalid='ignore'):
            return hits / unions

    @property
    def accuracy(self) -> np.ndarray:
        """The share of the pixels of each class that was found; NaN for one that the truth does not have."""
        with np.errstate(invalid='ignore'):
            return np.diag(self.table) / self.table.sum(axis=1).astype(np.float64)

    @property
    def figures(self) -> Dict[str, float]:
        """``miou`` and ``mean_accuracy``, means over the classes that occur, and ``pixel_accuracy``."""
        total = max(int(self.table.sum()), 1)
        return {
            'miou': _mean(self.iou),
            'pixel_accuracy': float(np.trace(self.table) / total),
            'mean_accuracy': _mean(self.accuracy),
        }

    def of_classes(self) -> Dict[str, Dict[str, Any]]:
        """Name of a class -> ``iou`` and ``accuracy``, None where they are not defined, and ``pixels`` of the truth."""
        rows = zip(self.classes, self.iou.tolist(), self.accuracy.tolist(), self.table.sum(axis=1).tolist())
        return {
            name: {'iou': _known(iou), 'accuracy': _known(accuracy), 'pixels': pixels}
            for name, iou, accuracy, pixels in rows
        }


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _known(value: float) -> Any:
    return None if np.isnan(value) else value

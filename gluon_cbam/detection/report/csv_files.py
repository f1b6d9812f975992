"""The data of the report as CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np

from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.tasks.detection.metrics.coco import RECALLS, THRESHOLDS
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .measures import BACKGROUND, Measures

_CURVES = (0, 5)  # places in THRESHOLDS: 0.5 and 0.75


def write_classes(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the figures of each class; a figure without true boxes is empty."""
    rows = scored.scores.of_classes()
    write_csv(path, list(rows[0]) if rows else [], (row.values() for row in rows))


def write_curves(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write precision and score at each recall, for each class with true boxes, at overlaps of 0.5 and 0.75."""
    scores = scored.scores
    rows = (
        (name, THRESHOLDS[t], recall, scores.precision[k, t, r], scores.scores[k, t, r])
        for k, name in enumerate(scores.classes)
        if not np.isnan(scores.precision[k, 0, 0])
        for t in _CURVES
        for r, recall in enumerate(RECALLS)
    )
    write_csv(path, ['class', 'iou', 'recall', 'precision', 'score'], rows)


def write_confusions(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the confusion matrix, a row for each true class."""
    names = [*scored.classes, BACKGROUND]
    rows = ((name, *counts) for name, counts in zip(names, measures.confusions.tolist()))
    write_csv(path, ['true class', *names], rows)


def write_pictures(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the rates of all images, in the order of the data."""
    rates = measures.pictures
    rows = (
        (scored.image_name(n), rates.ap[n], rates.false_score[n], len(truth), len(found))
        for n, (truth, found) in enumerate(zip(scored.truths, scored.detections))
    )
    write_csv(path, ['image', 'ap', 'highest wrong score', 'true boxes', 'detections'], rows)


CSV_FILES: Dict[str, Any] = {
    'classes.csv': write_classes,
    'curves.csv': write_curves,
    'confusions.csv': write_confusions,
    'pictures.csv': write_pictures,
}
"""Name of a file -> function of the set, its measures and the path, which writes it."""

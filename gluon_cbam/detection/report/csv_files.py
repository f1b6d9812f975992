"""The data of the report as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Dict, Iterable, List

import numpy as np

from gluon_cbam.common.files import atomic_path
from gluon_cbam.common.printable import spreadsheet_cell
from gluon_cbam.tasks.detection.metrics.coco import RECALLS, THRESHOLDS
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .measures import BACKGROUND, Measures

_CURVES = (0, 5)  # places in THRESHOLDS: 0.5 and 0.75


def write_classes(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the figures of each class; a figure without true boxes is empty."""
    rows = scored.scores.of_classes()
    _write(path, list(rows[0]) if rows else [], (row.values() for row in rows))


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
    _write(path, ['class', 'iou', 'recall', 'precision', 'score'], rows)


def write_confusions(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the confusion matrix, a row for each true class."""
    names = [*scored.classes, BACKGROUND]
    rows = ((name, *counts) for name, counts in zip(names, measures.confusions.tolist()))
    _write(path, ['true class', *names], rows)


def write_pictures(scored: ScoredBoxes, measures: Measures, path: Path) -> None:
    """Write the rates of all images, in the order of the data."""
    rates = measures.pictures
    rows = (
        (scored.image_name(n), rates.ap[n], rates.false_score[n], len(truth), len(found))
        for n, (truth, found) in enumerate(zip(scored.truths, scored.detections))
    )
    _write(path, ['image', 'ap', 'highest wrong score', 'true boxes', 'detections'], rows)


CSV_FILES: Dict[str, Any] = {
    'classes.csv': write_classes,
    'curves.csv': write_curves,
    'confusions.csv': write_confusions,
    'pictures.csv': write_pictures,
}
"""Name of a file -> function of the set, its measures and the path, which writes it."""


def _write(path: Path, header: List[str], rows: Iterable[Iterable[Any]]) -> None:
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(map(_cell, header))
        writer.writerows(map(_cell, row) for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return spreadsheet_cell(value)
    if isinstance(value, (float, np.floating)):
        return '' if np.isnan(value) else f'{value:.6g}'
    return value

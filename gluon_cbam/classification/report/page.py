"""The folder of a report: pictures as PNG, data as CSV, and a page with all of it in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from gluon_cbam.classification.confusion_files import MOST_CLASSES, picture_confusions, write_confusions
from gluon_cbam.classification.predictions import write_predictions
from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import table_of
from gluon_cbam.tasks.classification.metrics import TopK, top_k
from gluon_cbam.tasks.classification.scored import ScoredClasses
from gluon_cbam.tasks.intervals import Interval, wilson

from .mistakes import MOST, draw_mistakes
from .plots import draw_calibration

_CONFUSED = 20  # pairs of classes that are listed
_RANKS = (1, 2, 3, 5, 10)
_CALIBRATION, _CONFUSIONS, _MISTAKES = 'calibration.png', 'confusions.png', 'mistakes.png'


def report_files(directory: PathLike) -> List[Path]:
    """All files that a report may have.

    Args:
        directory: the folder.
    """
    names = (REPORT, _CALIBRATION, _CONFUSIONS, _MISTAKES, *CSV_FILES)
    return [Path(directory) / name for name in names]


def write_report(
    scored: ScoredClasses, about: Dict[str, Any], directory: PathLike, overwrite: bool = False, pictures: int = MOST
) -> Path:
    """Write the report of scored classes.

    Args:
        scored: the set.
        about: where the predictions come from: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.
        pictures: the most pictures among the worst mistakes.

    Returns:
        The page.

    Raises:
        UsageError: a file exists.
    """
    directory = Path(directory)
    document = Document(directory, report_files(directory), overwrite)
    for name, write in CSV_FILES.items():
        write(scored, directory / name)
    parts = [
        table_of(['figure', '', 'interval of 95 %'], _summary(scored)),
        f'<h2>Calibration</h2><p>{_CALIBRATED}</p>',
        document.figure(_CALIBRATION, partial(draw_calibration, scored)),
        f'<h2>Confusions</h2><p>{_MATRIX if len(scored.classes) <= MOST_CLASSES else _MATRIX_OF_SOME}</p>',
        document.figure(_CONFUSIONS, partial(picture_confusions, scored)),
        _confused(scored),
        '<h2>Worst mistakes</h2>', _mistakes(scored, document, pictures),
        f'<h2>Classes</h2><p>{_CLASSES}</p>', table_of(_CLASS_COLUMNS, _by_f1(scored)),
    ]  # fmt: skip
    return document.write(f'Classification: {scored.name}', _NOTE, about, parts)


def _summary(scored: ScoredClasses) -> List[Tuple[Any, ...]]:
    evaluation, outcomes = scored.evaluation, scored.outcomes
    ranks = [top_k(outcomes, k) for k in _RANKS if k == 1 or k < len(scored.classes)]
    return [
        ('images', len(outcomes), ''), *map(_accuracy, ranks),
        ('balanced accuracy', evaluation.balanced_accuracy, ''), ('macro F1', evaluation.macro_f1, ''),
        ('loss (NLL)', evaluation.loss, ''), ('Brier score', evaluation.brier, ''), ('ECE', evaluation.ece, ''),
        ('mean confidence', float(outcomes.confidence.mean()), ''),
    ]  # fmt: skip


def _accuracy(found: TopK) -> Tuple[Any, ...]:
    return f'top-{found.k} accuracy', found.accuracy, _limits(found.interval)


def _limits(interval: Interval) -> str:
    return f'{interval[0]:.4f} to {interval[1]:.4f}'


def _confused(scored: ScoredClasses) -> str:
    pairs = [(scored.classes[true], scored.classes[found], times) for true, found, times in scored.confused(_CONFUSED)]
    return table_of(['true class', 'predicted as', 'times'], pairs) if pairs else '<p>No two classes are confused.</p>'


def _mistakes(scored: ScoredClasses, document: Document, pictures: int) -> str:
    numbers = scored.worst(pictures)
    if not numbers:
        return '<p>All images are recognized.</p>'
    return document.figure(_MISTAKES, partial(draw_mistakes, scored, numbers))


def _classes(scored: ScoredClasses) -> List[List[Any]]:
    """A row of each class: number, name, records, accuracy with its limits, precision and F1."""
    rows = []
    for row, hits in zip(scored.counts.rows(scored.classes), scored.counts.hits.tolist()):
        limits = wilson(hits, row['support']) if row['support'] else (None, None)
        figures = (row['recall'], *limits, row['precision'], row['f1'])
        rows.append([row['class'], row['label'], row['support'], *figures])
    return rows


def _by_f1(scored: ScoredClasses) -> List[List[Any]]:
    """The rows, the worst F1 first; classes that do not occur last."""
    rows = _classes(scored)
    return [rows[number] for number in np.argsort(scored.counts.f1, kind='stable').tolist()]


def _write_classes(scored: ScoredClasses, path: Path) -> None:
    write_csv(path, _CLASS_COLUMNS, _classes(scored))


CSV_FILES: Dict[str, Callable[[ScoredClasses, Path], None]] = {
    'classes.csv': _write_classes,
    'confusions.csv': write_confusions,
    'predictions.csv': write_predictions,
}
"""Name of a file -> function of the set and the path, which writes it."""
_CLASS_COLUMNS = ['number', 'class', 'images', 'accuracy', 'from', 'to', 'precision', 'F1']
_NOTE = """Every image counts once. Intervals are Wilson's, of 95 %, and take the images as independent. Macro F1 is the
mean over the classes that occur among the labels or the predictions, balanced accuracy the mean accuracy of those among
the labels."""
_CALIBRATED = """Left: accuracy in 15 equal bins of the confidence, the probability of the predicted class. ECE, the
expected calibration error of Guo et al. (2017), is the mean gap, weighted by the images of the bins. Right: how many
images have which confidence, on a logarithmic scale. The Brier score is the sum over the classes, in 0 to 2."""
_MATRIX = 'The color is the share of the images of the true class.'
_MATRIX_OF_SOME = """The classes that are confused most often, and all others together. The color is the share of the
images of the true class; confusions.csv has all classes."""
_CLASSES = """The worst F1 first. The accuracy of a class is its recall, with its interval; what has no images or no
predictions is empty."""

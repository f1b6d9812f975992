"""The folder of a report: pictures as PNG, data as CSV, and a page with all of it in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import table_of
from gluon_cbam.multilabel.predictions import write_predictions
from gluon_cbam.tasks.multilabel.scored import ScoredLabels

from .pictures import MOST, draw_pictures
from .plots import draw_curves

_CURVES, _WORST, _BEST = 'curves.png', 'worst.png', 'best.png'


def report_files(directory: PathLike) -> List[Path]:
    """All files that a report may have.

    Args:
        directory: the folder.
    """
    return [Path(directory) / name for name in (REPORT, _CURVES, _WORST, _BEST, *CSV_FILES)]


def write_report(
    scored: ScoredLabels, about: Dict[str, Any], directory: PathLike, overwrite: bool = False, pictures: int = MOST
) -> Path:
    """Write the report of scored labels.

    Args:
        scored: the set.
        about: where the predictions come from: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.
        pictures: the most pictures among the worst, and among the best.

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
        table_of(['figure', ''], _summary(scored)),
        f'<h2>Precision and recall</h2><p>{_CURVED}</p>', document.figure(_CURVES, partial(draw_curves, scored)),
        f'<h2>Classes</h2><p>{_CLASSES}</p>', table_of(_CLASS_COLUMNS, _by_ap(scored)),
        '<h2>Worst pictures</h2>', _sheet(scored, document, _WORST, scored.worst(pictures), _NONE_WRONG),
        '<h2>Best pictures</h2>', _sheet(scored, document, _BEST, scored.best(pictures), _NONE_RIGHT),
    ]  # fmt: skip
    return document.write(f'Multi-label classification: {scored.name}', _NOTE, about, parts)


def _summary(scored: ScoredLabels) -> List[Tuple[str, Any]]:
    figures, images = scored.evaluation.figures, len(scored.labels)
    return [
        ('images', images), ('labels of an image, mean', float(scored.labels.sum() / images)),
        ('mAP', figures['map']), ('micro F1', figures['micro_f1']), ('macro F1', figures['macro_f1']),
        ('images without a wrong decision', float((scored.wrong == 0).mean())),
        ('wrong decisions (Hamming loss)', float(scored.wrong.mean() / len(scored.classes))),
        ('loss (binary cross-entropy)', figures['loss']),
    ]  # fmt: skip


def _sheet(scored: ScoredLabels, document: Document, name: str, numbers: List[int], none: str) -> str:
    if not numbers:
        return f'<p>{none}</p>'
    title = 'The images with the highest loss' if name == _WORST else 'The images with the lowest loss'
    return document.figure(name, partial(draw_pictures, scored, numbers, title))


def _classes(scored: ScoredLabels) -> List[List[Any]]:
    """A row of each class: number, name, images with it, images found, AP, precision, recall and F1."""
    return [
        [number, name, each.positives, each.found, each.ap, each.precision, each.recall, each.f1]
        for number, (name, each) in enumerate(zip(scored.classes, scored.evaluation.classes))
    ]


def _by_ap(scored: ScoredLabels) -> List[List[Any]]:
    """The rows, the worst average precision first; classes that are on no image last."""
    return sorted(_classes(scored), key=lambda row: (row[4] is None, row[4] or 0.0))


def _write_classes(scored: ScoredLabels, path: Path) -> None:
    write_csv(path, _CLASS_COLUMNS, _classes(scored))


CSV_FILES: Dict[str, Callable[[ScoredLabels, Path], None]] = {
    'classes.csv': _write_classes,
    'predictions.csv': write_predictions,
}
"""Name of a file -> function of the set and the path, which writes it."""
_CLASS_COLUMNS = ['number', 'class', 'images', 'found', 'AP', 'precision', 'recall', 'F1']
_NOTE = """Every image counts once. A class is found on an image where its probability, the sigmoid of its logit, is at
least 0.5. mAP and macro F1 are means over the classes that some image has; micro F1 is of all decisions together."""
_CURVED = """Left: precision over recall of the classes on the most images, with their average precision, and of the
decisions for all classes and images together. Right: how precision, recall and F1 of all decisions depend on the
threshold."""
_CLASSES = """The worst average precision first; that of a class on no image is not defined."""
_NONE_WRONG = 'No decision is wrong.'
_NONE_RIGHT = 'Every image has a wrong decision.'

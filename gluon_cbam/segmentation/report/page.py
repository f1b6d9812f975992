"""The folder of a report: the confusion matrix as PNG, data as CSV, and a page with all of it in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.confusions import draw_confusions, most_confused
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import table_of
from gluon_cbam.tasks.segmentation.pictures import KEPT
from gluon_cbam.tasks.segmentation.scored import ScoredMasks

from .gallery import picture_figure

_CONFUSED = 10  # pairs of classes that are listed
_CONFUSIONS = 'confusions.png'


def report_files(directory: PathLike) -> List[Path]:
    """All files of a report.

    Args:
        directory: the folder.
    """
    return [Path(directory) / name for name in (REPORT, _CONFUSIONS, *CSV_FILES)]


def write_report(
    scored: ScoredMasks, about: Dict[str, Any], directory: PathLike, overwrite: bool = False, pictures: int = KEPT
) -> Path:
    """Write the report of scored masks.

    Args:
        scored: the set.
        about: where the masks come from: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.
        pictures: the most pictures among the best, and among the worst.

    Returns:
        The page.

    Raises:
        UsageError: a file exists.
    """
    directory, scores = Path(directory), scored.scores
    document = Document(directory, report_files(directory), overwrite)
    draw = partial(draw_confusions, scores.table, scores.classes, found='predicted as', percent=True)
    matrix = document.figure(_CONFUSIONS, draw)
    for name, write in CSV_FILES.items():
        write(scored, directory / name)
    parts = [
        _summary(scored),
        f'<h2>Confusions</h2><p>{_PERCENT}</p>', matrix, _confused(scored),
        '<h2>Classes</h2>', table_of(_CLASS_COLUMNS, _classes(scored)),
        f'<h2>Worst pictures</h2><p>{_PICTURES}</p>',
        *(picture_figure(scored, number) for number in scored.pictures.worst(pictures)),
        '<h2>Best pictures</h2>', *(picture_figure(scored, number) for number in scored.pictures.best(pictures)),
    ]  # fmt: skip
    return document.write(f'Segmentation: {scored.name}', _NOTE, about, parts)


def _summary(scored: ScoredMasks) -> str:
    counted, ignored = int(scored.pictures.counted.sum()), int(scored.pictures.ignored.sum())
    rows: List[Any] = [('pictures', len(scored.pictures.miou)), ('pixels that count', counted), ('ignored', ignored)]
    return table_of(['figure', ''], [*rows, *scored.scores.figures.items()])


def _confused(scored: ScoredMasks) -> str:
    pairs = most_confused(scored.scores.table, scored.scores.classes, _CONFUSED)
    if not pairs:
        return '<p>No two classes are confused.</p>'
    return table_of(['true class', 'predicted as', 'pixels'], pairs)


def _classes(scored: ScoredMasks) -> List[List[Any]]:
    return [[name, *row.values()] for name, row in scored.scores.of_classes().items()]


def _write_classes(scored: ScoredMasks, path: Path) -> None:
    write_csv(path, _CLASS_COLUMNS, _classes(scored))


def _write_confusions(scored: ScoredMasks, path: Path) -> None:
    rows = ((name, *counts) for name, counts in zip(scored.scores.classes, scored.scores.table.tolist()))
    write_csv(path, ['true class', *scored.scores.classes], rows)


def _write_pictures(scored: ScoredMasks, path: Path) -> None:
    rates = scored.pictures
    columns = (rates.miou.tolist(), rates.accuracy.tolist(), rates.counted.tolist(), rates.ignored.tolist())
    rows = ((scored.image_name(number), *row) for number, row in enumerate(zip(*columns)))
    write_csv(path, ['picture', 'miou', 'pixel accuracy', 'pixels that count', 'ignored'], rows)


CSV_FILES: Dict[str, Callable[[ScoredMasks, Path], None]] = {
    'classes.csv': _write_classes,
    'confusions.csv': _write_confusions,
    'pictures.csv': _write_pictures,
}
"""Name of a file -> function of the set and the path, which writes it."""
_CLASS_COLUMNS = ['class', 'IoU', 'accuracy', 'pixels']
_NOTE = """Every pixel that is not ignored counts once, at the size of its picture. mIoU and mean accuracy are means
over the classes that occur."""
_PERCENT = 'Numbers are percent of the pixels of the true class; with many classes colors alone show them.'
_PICTURES = """By the mean IoU of the picture alone: the truth, the prediction, and the errors in red. Ignored pixels
are striped."""

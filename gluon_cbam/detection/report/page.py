"""The folder of a report: plots as PNG, data as CSV, and a page with all of it in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.confusions import draw_confusions, most_confused
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import table_of
from gluon_cbam.tasks.detection.metrics.error_kinds import KINDS
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .csv_files import CSV_FILES
from .gallery import picture_figure
from .measures import BACKGROUND, Measures, measure
from .plots import draw_confidence, draw_precision_recall

PICTURES = 12
"""The most pictures among the best, and among the worst."""
_CONFUSED = 10  # pairs of classes that are listed
_PLOTS: Dict[str, Callable[[ScoredBoxes, Measures, Path], None]] = {
    'precision_recall.png': lambda scored, measures, path: draw_precision_recall(scored.scores, path),
    'confidence.png': lambda scored, measures, path: draw_confidence(scored.scores, measures.confidence, path),
    'confusions.png': lambda scored, measures, path: draw_confusions(
        measures.confusions, [*scored.classes, BACKGROUND], path, 'detected as'
    ),
}


def report_files(directory: PathLike) -> List[Path]:
    """All files of a report.

    Args:
        directory: the folder.
    """
    return [Path(directory) / name for name in (REPORT, *_PLOTS, *CSV_FILES)]


def write_report(
    scored: ScoredBoxes,
    about: Dict[str, Any],
    directory: PathLike,
    overwrite: bool = False,
    least_score: Optional[float] = None,
    pictures: int = PICTURES,
) -> Path:
    """Write the report of scored detections.

    Args:
        scored: the set.
        about: where the detections come from: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.
        least_score: the smallest score of detections in the confusion matrix, the kinds of errors and the pictures;
            default that of the best mean F1.
        pictures: the most pictures among the best, and among the worst.

    Returns:
        The page.

    Raises:
        UsageError: a file exists.
    """
    directory = Path(directory)
    measures = measure(scored, least_score)
    document = Document(directory, report_files(directory), overwrite)
    plots = {name: document.figure(name, partial(draw, scored, measures)) for name, draw in _PLOTS.items()}
    for name, write in CSV_FILES.items():
        write(scored, measures, directory / name)
    return document.write(f'Detection: {scored.name}', _NOTE, about, _parts(scored, measures, plots, pictures))


def _parts(scored: ScoredBoxes, measures: Measures, plots: Mapping[str, str], pictures: int) -> List[str]:
    """The tables, plots and pictures of the page, each with what it shows."""
    score = f'{measures.least_score:g}'
    worst, best = measures.pictures.worst(pictures).tolist(), measures.pictures.best(pictures).tolist()
    return [
        _summary(scored),
        f'<h2>Curves</h2><p>{_CURVES}</p>', plots['precision_recall.png'], plots['confidence.png'],
        f'<h2>Confusions</h2><p>{_CONFUSIONS.format(score=score)}</p>', plots['confusions.png'],
        _confused(scored, measures),
        f'<h2>Errors</h2><p>{_ERRORS.format(score=score)}</p>', _errors(measures),
        '<h2>Classes</h2>', _classes(scored),
        f'<h2>Worst pictures</h2><p>{_PICTURES.format(score=score)}</p>',
        *(picture_figure(scored, measures, number) for number in worst),
        '<h2>Best pictures</h2>', *(picture_figure(scored, measures, number) for number in best),
    ]  # fmt: skip


def _summary(scored: ScoredBoxes) -> str:
    scores = scored.scores
    counts = {
        'images': scores.images, 'true boxes': int(scores.objects.sum()), 'detections': int(scores.detections.sum()),
    }  # fmt: skip
    rows = [*counts.items(), *((name, f'{value:.4f}') for name, value in scores.figures.items())]
    return table_of(['figure', ''], rows)


def _classes(scored: ScoredBoxes) -> str:
    rows = scored.scores.of_classes()
    return table_of(list(rows[0]) if rows else [], [row.values() for row in rows])


def _errors(measures: Measures) -> str:
    rows = [(name, measures.errors[name], measures.costs[name], what) for name, what in KINDS.items()]
    return table_of(['error', 'times', 'costs of ap50', 'what is counted'], rows)


def _confused(scored: ScoredBoxes, measures: Measures) -> str:
    pairs = most_confused(measures.confusions[:-1, :-1], scored.classes, _CONFUSED)
    return table_of(['true class', 'detected as', 'times'], pairs) if pairs else '<p>No two classes are confused.</p>'


_NOTE = "AP and AR are COCO's, voc07 and voc those of Pascal VOC at an IoU of 0.5."
_CURVES = """Above: precision over recall. Below: over the smallest score that is kept, at an IoU of 0.5; the dashed
line is where the mean F1 is the highest."""
_CONFUSIONS = """Detections with a score of at least {score}, at an IoU of 0.5. The last column counts true boxes that
are missed, the last row detections of nothing."""
_ERRORS = """Kinds as TIDE defines them. They are counted for detections with a score of at least {score}; the costs
are what ap50 would gain if all errors of the kind were corrected, those of lower scores too."""
_PICTURES = """The truth, and beside it the detections with a score of at least {score}, the wrong ones dashed. AP is
that of the picture alone, over all its classes. Crowds and difficult objects are dashed."""

"""The folder of a report: plots as PNG, data as CSV, and a page with all of it in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional

from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing, write_text
from gluon_cbam.explain.figures.html import STYLE, escaped, png_source
from gluon_cbam.tasks.detection.metrics.error_kinds import KINDS
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .csv_files import CSV_FILES
from .gallery import picture_figure
from .measures import Measures, measure
from .plots import draw_confidence, draw_confusions, draw_precision_recall

REPORT = 'report.html'
PICTURES = 12
"""The most pictures among the best, and among the worst."""
_CONFUSED = 10  # pairs of classes that are listed
_PLOTS: Dict[str, Callable[[ScoredBoxes, Measures, Path], None]] = {
    'precision_recall.png': lambda scored, measures, path: draw_precision_recall(scored.scores, path),
    'confidence.png': lambda scored, measures, path: draw_confidence(scored.scores, measures.confidence, path),
    'confusions.png': lambda scored, measures, path: draw_confusions(measures.confusions, scored.classes, path),
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
    refuse_existing(report_files(directory), overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    measures = measure(scored, least_score)
    for name, draw in _PLOTS.items():
        with atomic_path(directory / name) as temporary:
            draw(scored, measures, temporary)
    for name, write in CSV_FILES.items():
        write(scored, measures, directory / name)
    plots = {name: f'<img class=plot src="{png_source(directory / name)}" alt="{name}">' for name in _PLOTS}
    lines = ''.join(f'<br>{escaped(name)}: {escaped(str(value))}' for name, value in about.items())
    worst, best = measures.pictures.worst(pictures).tolist(), measures.pictures.best(pictures).tolist()
    page = _PAGE.format(
        style=STYLE, title=f'Detection: {escaped(scored.name)}', about=lines, summary=_summary(scored),
        curves=plots['precision_recall.png'] + plots['confidence.png'], score=f'{measures.least_score:g}',
        confusions=plots['confusions.png'], confused=_confused(scored, measures), errors=_errors(measures),
        classes=_classes(scored), worst=''.join(picture_figure(scored, measures, number) for number in worst),
        best=''.join(picture_figure(scored, measures, number) for number in best),
    )  # fmt: skip
    write_text(directory / REPORT, page)
    return directory / REPORT


def _summary(scored: ScoredBoxes) -> str:
    scores = scored.scores
    counts = {
        'images': scores.images, 'true boxes': int(scores.objects.sum()), 'detections': int(scores.detections.sum()),
    }  # fmt: skip
    rows = [*counts.items(), *((name, f'{value:.4f}') for name, value in scores.figures.items())]
    return _table(['figure', ''], rows)


def _classes(scored: ScoredBoxes) -> str:
    rows = scored.scores.of_classes()
    return _table(list(rows[0]) if rows else [], [row.values() for row in rows])


def _errors(measures: Measures) -> str:
    rows = [(name, measures.errors[name], measures.costs[name], what) for name, what in KINDS.items()]
    return _table(['error', 'times', 'costs of ap50', 'what is counted'], rows)


def _confused(scored: ScoredBoxes, measures: Measures) -> str:
    pairs = measures.most_confused(scored.classes, _CONFUSED)
    return _table(['true class', 'detected as', 'times'], pairs) if pairs else '<p>No two classes are confused.'


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = ''.join(f'<th>{escaped(name)}' for name in header)
    body = ''.join(f'<tr>{"".join(f"<td>{_cell(value)}" for value in row)}' for row in rows)
    return f'<div class=wide><table><thead><tr>{head}</thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return '' if value is None else f'{value:.4f}' if isinstance(value, float) else escaped(str(value))


_PAGE = """<!DOCTYPE html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
{style}
td {{ overflow-wrap: normal }} .wide {{ overflow-x: auto }}
.plot {{ max-width: 100%; height: auto; display: block; margin: .6rem 0 }}
figure {{ margin: 1rem 0 }} figure div {{ display: flex; flex-wrap: wrap; gap: .4rem }}
figure img {{ max-width: 100%; height: auto }} figcaption {{ color: #555; overflow-wrap: anywhere }}
</style>
<h1>{title}</h1><p>AP and AR are COCO's, voc07 and voc those of Pascal VOC at an IoU of 0.5.{about}
{summary}
<h2>Curves</h2>
<p>Above: precision over recall. Below: over the smallest score that is kept, at an IoU of 0.5; the dashed line is where
the mean F1 is the highest.
{curves}
<h2>Confusions</h2>
<p>Detections with a score of at least {score}, at an IoU of 0.5. The last column counts true boxes that are missed, the
last row detections of nothing.
{confusions}
{confused}
<h2>Errors</h2>
<p>Kinds as TIDE defines them. They are counted for detections with a score of at least {score}; the costs are what ap50
would gain if all errors of the kind were corrected, those of lower scores too.
{errors}
<h2>Classes</h2>
{classes}
<h2>Worst pictures</h2>
<p>The truth, and beside it the detections with a score of at least {score}, the wrong ones dashed. AP is that of the
picture alone, over all its classes. Crowds and difficult objects are dashed.
{worst}
<h2>Best pictures</h2>
{best}
</html>
"""

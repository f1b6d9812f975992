"""The curves of several runs in one plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing
from gluon_cbam.common.folders import refuse_missing_folders
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.training.config.saved_run import VALIDATED, read_metrics

from .comparison import RunSummary, by_task

_CURVES = 10  # in a plot: the number of colors of matplotlib's cycle
_MARKED = 20  # points up to which every point of a curve is marked
_NAME_LENGTH = 28  # characters of a run's path in the legend


def check_plot(path: PathLike) -> None:
    """Check the path of a plot, before runs are read.

    Raises:
        UsageError: it does not end in .png, is a folder, or its folder does not exist.
        TransferError: its folder takes no files.
    """
    if Path(path).suffix.lower() != '.png':
        raise UsageError(f'the picture is a .png file, got {str(path)!r}')
    refuse_missing_folders([path])
    refuse_existing([path], overwrite=True)


def plot(runs: List[RunSummary], path: PathLike) -> None:
    """Draw the curves of several runs in one plot: validation where there is any, else training.

    Args:
        runs: those of the first one's task are drawn, up to ten.
        path: the path of the plot, .png; see :func:`check_plot`.
    """
    from matplotlib.figure import Figure as Canvas

    task, runs = by_task(runs)[0]
    shown = runs[:_CURVES]
    figures = sorted(task.shown_figures, key=lambda figure: figure is not task.best)
    canvas = Canvas(figsize=(4.3 * len(figures) + 2.4, 4), dpi=120, layout='constrained')
    *axes, names = canvas.subplots(1, len(figures) + 1, gridspec_kw={'width_ratios': (*(1 for _ in figures), 0.55)})
    for number, run in enumerate(shown):
        _draw_run(run, f'C{number}', figures, axes, names)
    for each, figure in zip(axes, figures):
        each.set_title(f'{figure.title}, validation')
        each.set_xlabel('epoch')
        each.grid(alpha=0.3)
        if not figure.higher_is_better:
            each.set_ylim(*figure.limits)
    names.axis('off')
    title = 'best first' if len(shown) == len(runs) else f'the best {len(shown)} of {len(runs)}'
    names.legend(loc='upper left', frameon=False, title=title, borderaxespad=0)
    with atomic_path(path) as temporary:
        canvas.savefig(str(temporary), format='png')


def _draw_run(run: RunSummary, color: str, figures: List[Figure], axes: List[Any], names: Any) -> None:
    """The curves of a run, and its name in the legend."""
    validated = [record for record in read_metrics(run.path) if record['kind'] in VALIDATED]
    style = {'color': color, 'linewidth': 1.2, 'marker': '.' if len(validated) <= _MARKED else None}
    data = 'train' if run.best is None else 'val'
    for each, figure in zip(axes, figures):
        name = f'{data}_{figure.name}'
        having = [record for record in validated if record.get(name) is not None]
        each.plot([record['epochs_done'] for record in having], [record[name] for record in having], **style)
    names.plot((), (), label=_short(run.path) + (' (training)' if data == 'train' else ''), **style)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else '...' + name[3 - _NAME_LENGTH :]

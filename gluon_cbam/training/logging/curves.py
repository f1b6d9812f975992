"""The plot of a run: the figures of its task and the learning rate over the epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

from gluon_cbam.common.files import atomic_path
from gluon_cbam.tasks.base import Task
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.training.config.saved_run import VALIDATED

_WIDTH = 11 / 2.6  # inches of one plot; the learning rate's is 0.6 times as wide


def draw(metrics: List[Dict[str, Any]], path: Path, task: Task) -> None:
    """Draw ``curves.png``: each figure that the task shows, and a smaller plot of the learning rate.

    Args:
        metrics: the lines of ``metrics.jsonl``.
        path: the path of the plot.
        task: the task of the run.
    """
    from matplotlib.figure import Figure as Canvas

    validated = [record for record in metrics if record['kind'] in VALIDATED]
    intervals = [record for record in metrics if record['kind'] == 'interval']
    figures = task.shown_figures
    widths = (*(1.0 for _ in figures), 0.6)
    canvas = Canvas(figsize=(_WIDTH * sum(widths), 3.6), dpi=120, layout='constrained')
    *axes, rates = canvas.subplots(1, len(widths), gridspec_kw={'width_ratios': widths})
    for each, figure in zip(axes, figures):
        _draw_figure(each, figure, validated, intervals if figure is task.training_figures[0] else [])
    epochs_done, values = _points(intervals, 'lr')
    rates.plot(epochs_done, values, color='#636363', linewidth=1, marker='.' if len(values) == 1 else None)
    rates.set_title('learning rate')
    rates.set_ylim(bottom=0)
    rates.set_xlabel('epoch')
    rates.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        canvas.savefig(str(temporary), format='png')


def _draw_figure(axes: Any, figure: Figure, validated: List[Dict[str, Any]], intervals: List[Dict[str, Any]]) -> None:
    """Plot a figure in training and validation; for the loss also each log interval."""
    name = figure.name
    if intervals:
        axes.plot(*_points(intervals, name), color='#9ecae1', linewidth=1, label='training, each log interval')
    for kind, color, label in (('train', '#2171b5', 'training'), ('val', '#d94801', 'validation')):
        epochs_done, values = _points(validated, f'{kind}_{name}')
        if values:
            axes.plot(epochs_done, values, color=color, marker='.', label=label)
    axes.set_title(f'{figure.title} ({figure.unit})' if figure.unit else figure.title)
    axes.set_xlabel('epoch')
    axes.set_ylim(*figure.limits)
    axes.grid(alpha=0.3)
    if axes.get_lines():
        axes.legend(loc='lower right' if figure.higher_is_better else 'upper right')


def _points(records: List[Dict[str, Any]], name: str) -> Tuple[List[float], List[float]]:
    """Epochs done and values, of the records that have the value."""
    having = [record for record in records if record.get(name) is not None]
    return [record['epochs_done'] for record in having], [record[name] for record in having]

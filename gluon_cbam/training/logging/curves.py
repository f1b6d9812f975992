"""The picture of a run: loss, accuracy and learning rate over the epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from gluon_cbam.common.files import atomic_path


def draw(metrics: List[Dict[str, Any]], path: Path) -> None:
    """Draw ``curves.png``: the loss, the accuracy, and smaller the learning rate.

    Args:
        metrics: the lines of ``metrics.jsonl``.
        path: of the picture.
    """
    from matplotlib.figure import Figure

    epochs = [record for record in metrics if record['kind'] == 'epoch']
    intervals = [record for record in metrics if record['kind'] == 'interval']
    figure = Figure(figsize=(11, 3.6), dpi=120, layout='constrained')
    losses, accuracies, rates = figure.subplots(1, 3, gridspec_kw={'width_ratios': (1, 1, 0.6)})
    losses.plot(*_points(intervals, 'loss'), color='#9ecae1', linewidth=1, label='training, each log interval')
    for axes, name, corner in ((losses, 'loss', 'upper right'), (accuracies, 'top1', 'lower right')):
        axes.plot(*_points(epochs, f'train_{name}'), color='#2171b5', marker='.', label='training')
        if any(record.get(f'val_{name}') is not None for record in epochs):
            axes.plot(*_points(epochs, f'val_{name}'), color='#d94801', marker='.', label='validation')
        axes.set_xlabel('epoch')
        axes.grid(alpha=0.3)
        axes.legend(loc=corner)
    losses.set_title('loss (cross-entropy, nats)')
    losses.set_ylim(bottom=0)
    accuracies.set_title('top-1 accuracy')
    accuracies.set_ylim(0, 1.02)
    rates.plot(*_points(intervals, 'lr'), color='#636363', linewidth=1)
    rates.set_title('learning rate')
    rates.set_ylim(bottom=0)
    rates.set_xlabel('epoch')
    rates.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(str(temporary), format='png')


def _points(records, name):
    """Epochs done and values, of the records that have the value."""
    having = [record for record in records if record.get(name) is not None]
    return [record['epochs_done'] for record in having], [record[name] for record in having]

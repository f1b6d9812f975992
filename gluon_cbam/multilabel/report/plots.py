"""Plots of several labels: precision over recall, and figures over the threshold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from gluon_cbam.explain.figures.canvas import BLACK, BLUE, GRAY
from gluon_cbam.explain.figures.confusions import legend_name
from gluon_cbam.explain.figures.plots import save_plots
from gluon_cbam.tasks.multilabel.scored import ScoredLabels
from gluon_cbam.tasks.multilabel.scores import THRESHOLD, average_precision, precision_recall

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LINES = 10  # classes with a line of their own
_POINTS = 2000  # of a line at most
_THRESHOLDS = np.linspace(0, 1, 201)


def draw_curves(scored: ScoredLabels, path: Path) -> None:
    """Draw precision over recall of all decisions and of up to 10 classes, and F1 over the threshold.

    Args:
        scored: the set.
        path: the PNG file.
    """

    def curves(axes: Axes) -> None:
        for number in _most_frequent(scored):
            own, name = scored.evaluation.classes[number], legend_name(scored.classes[number])
            recall, precision = _thinned(scored.logits[:, number], scored.labels[:, number])
            axes.plot(recall, precision, drawstyle='steps-pre', linewidth=1, label=f'{name} {own.ap:.3f}')
        logits, labels = scored.logits.ravel(), scored.labels.ravel()
        together = f'all decisions {average_precision(logits, labels):.3f}'
        recall, precision = _thinned(logits, labels)
        axes.plot(recall, precision, drawstyle='steps-pre', color=BLACK, linewidth=2.2, label=together)
        title = f'precision and recall, mAP {scored.evaluation.figures["map"]:.4f}'
        axes.set(xlabel='recall', ylabel='precision', title=title, xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(fontsize=7)

    def thresholds(axes: Axes) -> None:
        precision, recall, f1 = _over_thresholds(scored)
        for values, color, width, name in (
            (precision, BLUE, 1, 'precision'), (recall, '#c0622f', 1, 'recall'), (f1, BLACK, 2.2, 'F1'),
        ):  # fmt: skip
            axes.plot(_THRESHOLDS, values, color=color, linewidth=width, label=name)
        best = int(np.argmax(f1))
        note = f'best F1 {f1[best]:.3f} at {_THRESHOLDS[best]:g}'
        axes.axvline(THRESHOLD, color=GRAY, linewidth=1, linestyle='--', label=f'threshold of the figures {THRESHOLD}')
        axes.set(xlabel='threshold', title=f'all decisions, {note}', xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(fontsize=8)

    save_plots([curves, thresholds], path, (11.5, 4.6))


def _most_frequent(scored: ScoredLabels) -> List[int]:
    """The classes that are drawn on their own: those on the most images."""
    positives = scored.labels.sum(axis=0)
    order = np.argsort(-positives, kind='stable')[:_MOST_LINES]
    return [number for number in order.tolist() if positives[number]]


def _thinned(scores: np.ndarray, positive: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Recall and precision at up to 2000 of the distinct scores, the last of them always."""
    recall, precision = precision_recall(scores, positive)
    kept = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(int))
    return recall[kept], precision[kept]


def _over_thresholds(scored: ScoredLabels) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of all decisions at each threshold; precision is NaN where nothing is found."""
    probabilities, positive = scored.probabilities.ravel(), scored.labels.ravel()
    found, hits = (
        len(each) - np.searchsorted(np.sort(each), _THRESHOLDS, side='left')
        for each in (probabilities, probabilities[positive])
    )
    with np.errstate(invalid='ignore'):
        return hits / found, hits / positive.sum(), 2 * hits / (found + positive.sum())

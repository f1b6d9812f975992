"""Plots of detection: precision over recall, and curves over the confidence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import numpy as np

from gluon_cbam.detection.drawing import class_color
from gluon_cbam.explain.figures.confusions import legend_name
from gluon_cbam.explain.figures.plots import save_plots
from gluon_cbam.tasks.detection.metrics.coco import RECALLS, THRESHOLDS
from gluon_cbam.tasks.detection.metrics.confidence import ConfidenceCurves
from gluon_cbam.tasks.detection.metrics.scores import DetectionScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LINES = 20  # classes with a line of their own
_MOST_NAMED = 10  # classes in a legend


def draw_precision_recall(scores: DetectionScores, path: Path) -> None:
    """Draw precision over recall at overlaps of 0.5 and 0.75, the mean of all classes and up to 20 of them.

    Args:
        scores: the figures.
        path: the PNG file.
    """

    def panel(threshold: int) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            ap = scores.ap[:, threshold, 0]
            for number in _most_frequent(scores):
                axes.plot(
                    RECALLS, scores.precision[number, threshold], color=_color(number), linewidth=1,
                    label=f'{legend_name(scores.classes[number])} {ap[number]:.3f}',
                )  # fmt: skip
            mean = _mean(scores.precision[:, threshold])
            axes.plot(RECALLS, mean, color='#222222', linewidth=2.2, label=f'all classes {_mean(ap):.3f}')
            axes.set(xlabel='recall', ylabel='precision', title=f'IoU {THRESHOLDS[threshold]:g}', ylim=(0, 1.02))
            axes.set_xlim(0, 1)
            _legend(axes)

        return draw

    save_plots([panel(0), panel(5)], path, (11.5, 4.6))


def draw_confidence(scores: DetectionScores, curves: ConfidenceCurves, path: Path) -> None:
    """Draw F1, precision and recall over the smallest score, at an overlap of 0.5.

    Args:
        scores: the figures, for the names of the classes.
        curves: the counts.
        path: the PNG file.
    """
    best = curves.least[curves.best()]

    def panel(values: np.ndarray, title: str) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            for number in _most_frequent(scores):
                axes.plot(
                    curves.least,
                    values[number],
                    color=_color(number),
                    linewidth=1,
                    label=legend_name(scores.classes[number]),
                )
            mean = _mean(values)
            axes.plot(
                curves.least,
                mean,
                color='#222222',
                linewidth=2.2,
                label=f'all classes, {mean[curves.best()]:.3f} at {best:g}',
            )
            axes.axvline(best, color='#777777', linewidth=1, linestyle='--')
            axes.set(xlabel='smallest score', title=title, xlim=(0, 1), ylim=(0, 1.02))
            _legend(axes)

        return draw

    panels = ((curves.f1, 'F1'), (curves.precision, 'precision'), (curves.recall, 'recall'))
    save_plots([panel(*each) for each in panels], path, (15, 4.4))


def _most_frequent(scores: DetectionScores) -> np.ndarray:
    """The classes that are drawn on their own, those with the most true boxes; none where there is but one."""
    known = np.flatnonzero(~np.isnan(scores.ap[:, 0, 0]))
    if len(known) < 2:
        return known[:0]
    return known[np.argsort(-scores.objects[known], kind='stable')][:_MOST_LINES]


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the classes, without those that have no true boxes."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # all are NaN
        return np.nanmean(values, axis=0)


def _legend(axes: Axes) -> None:
    """A legend of the mean, which is the last line, and of the first classes."""
    handles, labels = axes.get_legend_handles_labels()
    shown = [len(handles) - 1, *range(min(len(handles) - 1, _MOST_NAMED))]
    axes.legend([handles[place] for place in shown], [labels[place] for place in shown], fontsize=7)


def _color(number: int) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*(round(0.8 * part) for part in class_color(number)))

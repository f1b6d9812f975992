"""Plots of classification: the reliability diagram, and the histogram of confidences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gluon_cbam.explain.figures.canvas import BLACK, BLUE, GRAY
from gluon_cbam.explain.figures.plots import save_plots
from gluon_cbam.tasks.classification.metrics import BINS
from gluon_cbam.tasks.classification.scored import ScoredClasses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = '#c0622f'
_FINE = 40  # bins of the histogram


def draw_calibration(scored: ScoredClasses, path: Path) -> None:
    """Draw the accuracy over the confidence in the bins of the calibration error, and a histogram of the confidence.

    Args:
        scored: the set.
        path: the PNG file.
    """

    def reliability(axes: Axes) -> None:
        calibration = scored.calibration
        middles = (np.arange(BINS) + 0.5) / BINS
        filled = calibration.counts > 0
        counts = np.maximum(calibration.counts, 1)
        accuracy, confidence = calibration.hits / counts, calibration.confidence / counts
        width = 0.92 / BINS
        axes.bar(middles[filled], accuracy[filled], width, color=BLUE, label='accuracy')
        axes.bar(
            middles[filled], (confidence - accuracy)[filled], width, accuracy[filled], facecolor='none', edgecolor=_GAP,
            hatch='////', label='gap to the mean confidence',
        )  # fmt: skip
        axes.plot([0, 1], [0, 1], '--', color=GRAY, linewidth=1)
        axes.set(xlabel='confidence', ylabel='accuracy', title=f'reliability, ECE {calibration.ece:.4f}')
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(fontsize=8)

    def histogram(axes: Axes) -> None:
        outcomes = scored.outcomes
        bins = np.linspace(0, 1, _FINE + 1).tolist()
        parts = [outcomes.confidence[outcomes.hits], outcomes.confidence[~outcomes.hits]]
        labels = [f'{name} ({len(part)})' for name, part in zip(('right', 'wrong'), parts)]
        axes.hist(parts, bins, stacked=True, color=[BLUE, _GAP], label=labels)
        for value, style, name in (
            (float(outcomes.confidence.mean()), '-', 'mean confidence'), (scored.evaluation.top1, '--', 'accuracy'),
        ):  # fmt: skip
            axes.axvline(value, color=BLACK, linewidth=1, linestyle=style, label=f'{name} {value:.3f}')
        axes.set(xlabel='confidence', ylabel='images', title='confidence', xlim=(0, 1), yscale='symlog')
        axes.legend(fontsize=8)

    save_plots([reliability, histogram], path, (11.5, 4.6))

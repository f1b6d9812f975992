"""Plots of a verification and of an identification: ROC, DET and CMC curves, and histograms of similarities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Tuple

import numpy as np

from gluon_cbam.explain.figures.plots import save_plot
from gluon_cbam.recognition.verification import VerifiedPairs
from gluon_cbam.tasks.faces.metrics.embeddings import cosine_of_distance
from gluon_cbam.tasks.faces.metrics.identification import ProbeResults, open_set_curve
from gluon_cbam.tasks.faces.metrics.roc import roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 2000  # of a curve
_BINS = 60
_MARKED = 20  # points of a curve up to which each is marked
_DET_TICKS = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
_STYLES = ('-', '--', ':', '-.')


def _curve(result: VerifiedPairs) -> Tuple[np.ndarray, np.ndarray]:
    """False- and true-accept rates, with at most :data:`_MOST_POINTS` points, close together where both change."""
    roc = roc_curve(result.distances, result.same)
    far, tar = np.append(0.0, roc.far), np.append(0.0, roc.tar)
    last = np.append(np.flatnonzero(np.diff(far) != 0), len(far) - 1)  # the highest point of each vertical line
    far, tar = far[last], tar[last]
    if len(far) > _MOST_POINTS:
        chosen = np.unique(np.geomspace(1, len(far), _MOST_POINTS).astype(int) - 1)
        far, tar = far[chosen], tar[chosen]
    return far, tar


def draw_roc(results: Sequence[VerifiedPairs], path: Path) -> None:
    """Draw the true-accept rates over the false-accept rates, which have a logarithmic axis.

    Args:
        results: the verified sets, a curve for each.
        path: the PNG file.
    """

    def draw(axes: Axes) -> None:
        for number, result in enumerate(results):
            far, tar = _curve(result)
            seen = far > 0
            smallest = 1 / result.scores.different_pairs
            start = tar[~seen].max(initial=0.0)  # the rate without false accepts holds up to the first one
            axes.step(
                np.append(smallest / 2, far[seen]), np.append(start, tar[seen]), _STYLES[number % len(_STYLES)],
                where='post', label=f'{result.name} (AUC {result.scores.auc:.5f})',
            )  # fmt: skip
        axes.set_xscale('log')
        axes.set(xlabel='false-accept rate', ylabel='true-accept rate', title='ROC', ylim=(None, 1.005))
        axes.legend(loc='lower right', fontsize=8)

    save_plot(draw, path)


def draw_det(results: Sequence[VerifiedPairs], path: Path) -> None:
    """Draw the false-reject rates over the false-accept rates, both as quantiles of the normal distribution.

    Args:
        results: the verified sets, a curve for each.
        path: the PNG file.
    """

    def draw(axes: Axes) -> None:
        smallest: List[float] = []
        for number, result in enumerate(results):
            far, tar = _curve(result)
            label = f'{result.name} (EER {100 * result.scores.eer:.2f} %)'
            _plot_det(axes, far, tar, _STYLES[number % len(_STYLES)], label)
            smallest += [1 / result.scores.different_pairs, 1 / result.scores.same_pairs]
        _set_det_axes(axes, min(smallest), 0.85)
        axes.set(xlabel='false-accept rate', ylabel='false-reject rate', title='DET')
        axes.legend(loc='upper right', fontsize=8)

    save_plot(draw, path)


def _plot_det(axes: Axes, far: np.ndarray, tar: np.ndarray, style: str, label: str) -> None:
    """Plot a DET curve; quantiles of 0 and 1 are infinite."""
    from scipy.special import ndtri

    inside = (far > 0) & (far < 1) & (tar > 0) & (tar < 1)
    marker = '.' if inside.sum() <= _MARKED else ''
    axes.plot(ndtri(far[inside]), ndtri(1 - tar[inside]), style, label=label, marker=marker)


def _set_det_axes(axes: Axes, smallest: float, largest: float) -> None:
    """Set the axes of DET curves.

    Args:
        axes: with the curves.
        smallest: the smallest rate but 0 that can be measured.
        largest: the largest rate that is shown.
    """
    from scipy.special import ndtri

    low, high = float(ndtri(max(smallest / 2, _DET_TICKS[0] / 2))), float(ndtri(largest))
    axes.plot([low, high], [low, high], color='#999999', linewidth=0.8)
    ticks = [tick for tick in _DET_TICKS if low <= ndtri(tick) <= high]
    names = [f'{100 * tick:g} %' for tick in ticks]
    axes.set_xticks(ndtri(ticks), names)
    axes.set_yticks(ndtri(ticks), names)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)


def draw_open_set_det(results: ProbeResults, path: Path) -> None:
    """Draw the share of probes of known persons that are missed over that of unknown ones that raise an alarm.

    Args:
        results: the results of the probes, some of which show unknown persons.
        path: the PNG file.
    """
    far, found = open_set_curve(results)
    unknown, known = int((results.own < 0).sum()), int((results.own >= 0).sum())

    def draw(axes: Axes) -> None:
        _plot_det(axes, far, found, '-', '')
        _set_det_axes(axes, min(1 / unknown, 1 / known), 0.993)  # a gallery that is hard may miss nearly all
        axes.set(xlabel='false-alarm rate of unknown persons', ylabel='known persons that are missed, 1 - DIR')
        axes.set_title(f'DET: {known} probes of known and {unknown} of unknown persons')

    save_plot(draw, path)


def draw_cmc(cmc: Sequence[float], path: Path) -> None:
    """Draw the share of probes over the rank.

    Args:
        cmc: the share with a rank of at most 1, 2 and so on.
        path: the PNG file.
    """
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        axes.step(range(1, len(cmc) + 1), cmc, where='mid', marker='.' if len(cmc) <= 20 else '')
        axes.set(xlabel='rank', ylabel='share of the probes of known persons', title='CMC', ylim=(None, 1.005))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    save_plot(draw, path)


def draw_histogram(result: VerifiedPairs, path: Path) -> None:
    """Draw the histograms of the similarities of pairs of one person and of two, and the threshold.

    Args:
        result: the verified set.
        path: the PNG file.
    """

    def draw(axes: Axes) -> None:
        similarities = result.similarities
        bins = np.linspace(similarities.min(), similarities.max(), _BINS + 1)
        for kind, label, color in ((result.same, 'same person', '#4472a8'), (~result.same, 'different', '#c0622f')):
            weights = np.full(kind.sum(), 1 / kind.sum())
            axes.hist(
                similarities[kind],
                bins.tolist(),
                weights=weights,
                alpha=0.6,
                color=color,
                label=f'{label} ({kind.sum()})',
            )
        threshold = float(cosine_of_distance(np.array(result.threshold)))
        axes.axvline(threshold, color='#222222', linewidth=1, label=f'threshold {threshold:.3f}')
        axes.set(xlabel='cosine similarity', ylabel='share of the pairs', title=f'{result.name}: similarities')
        axes.legend(fontsize=8)

    save_plot(draw, path)

"""Confusion matrices: the plot, and the pairs of classes that are confused most often."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Tuple

import numpy as np

from .canvas import fit_text
from .plots import save_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 41  # classes whose names stand beside the matrix
_MOST_COUNTS, _MOST_SHARES = 16, 25  # classes whose counts, or percent, stand in it
_NAME_WIDTH = 130  # pixels of a name


def draw_confusions(counts: np.ndarray, names: Sequence[str], path: Path, found: str, percent: bool = False) -> None:
    """Draw a confusion matrix, each row as shares of its true class by color.

    Args:
        counts: (K, K) integers, row by the true class, column by the class that was found.
        names: names of the K classes; with more than 41 of them they are left out.
        path: the PNG file.
        found: what is said below the columns, such as ``predicted as``.
        percent: write the shares in the cells, of up to 25 classes, rather than the counts, of up to 16.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [short_name(name) for name in names]

    def draw(axes: Axes) -> None:
        axes.imshow(shares, cmap='Blues', vmin=0, vmax=1, zorder=3)  # above the grid
        axes.set(xlabel=found, ylabel='true class', title='confusions, shares of each row by color')
        places = range(len(labels)) if len(labels) <= _MOST_TICKS else []
        axes.set_xticks(places, [labels[place] for place in places], rotation=90, fontsize=8)
        axes.set_yticks(places, [labels[place] for place in places], fontsize=8)
        if len(labels) <= (_MOST_SHARES if percent else _MOST_COUNTS):
            _write_cells(axes, counts, shares, percent)

    side = 3.5 + 0.3 * min(len(labels), _MOST_TICKS)
    save_plot(draw, path, (side, side))


def _write_cells(axes: Axes, counts: np.ndarray, shares: np.ndarray, percent: bool) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = float(shares[row, column])
            axes.text(
                column, row, f'{100 * share:.0f}' if percent else str(count), ha='center', va='center', fontsize=8,
                color='white' if share > 0.6 else '#222222', zorder=4,
            )  # fmt: skip


def most_confused(counts: np.ndarray, names: Sequence[str], most: int) -> List[Tuple[str, str, int]]:
    """The pairs of classes that are confused most often.

    Args:
        counts: (K, K) integers, row by the true class, column by the class that was found.
        names: names of the K classes.
        most: number of pairs.

    Returns:
        (true class, class that was found, times), the most frequent first; pairs that are never confused are left out.
    """
    wrong = np.array(counts)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind='stable')[:most]
    pairs = zip(*np.unravel_index(order, wrong.shape))
    return [(names[true], names[found], int(wrong[true, found])) for true, found in pairs if wrong[true, found]]


def short_name(name: str) -> str:
    """The name of a class as it is written in plots: what is not printable escaped, and cut to a width."""
    return fit_text(name, _NAME_WIDTH, 8)


def legend_name(name: str) -> str:
    """The :func:`short_name` of a class in a legend, where matplotlib leaves labels that begin with ``_`` out."""
    return short_name(name) if not name.startswith('_') else f' {short_name(name)}'

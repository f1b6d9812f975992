"""Plots of curves: new axes, drawn on and written as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Sequence, Tuple

from .canvas import missing_glyphs_ignored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 110


def save_plot(draw: Callable[[Axes], None], path: Path, size: Tuple[float, float] = (6.4, 4.6)) -> None:
    """Draw on the axes of a new figure, and write it as PNG.

    Args:
        draw: draws on the axes, and labels them.
        path: the PNG file.
        size: width and height in inches.
    """
    save_plots([draw], path, size)


def save_plots(draws: Sequence[Callable[[Axes], None]], path: Path, size: Tuple[float, float]) -> None:
    """Draw on axes side by side in a new figure, see :func:`save_plot`.

    Args:
        draws: a function for each axes.
        path: the PNG file.
        size: width and height of the whole figure in inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, facecolor='white')
    for number, draw in enumerate(draws):
        axes = figure.add_subplot(1, len(draws), number + 1)
        draw(axes)
        axes.grid(True, which='major', color='#dddddd', linewidth=0.6)
        axes.set_axisbelow(True)
    with missing_glyphs_ignored():
        figure.savefig(str(path), format='png', bbox_inches='tight', metadata={'Software': None})

"""A matplotlib figure whose parts are placed by pixel, so that images in it are not resampled."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator, Sequence, Tuple

import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 100
BLACK, GRAY, BLUE = '#222222', '#777777', '#4472a8'


class Canvas:
    """A white figure; positions count from its upper left corner.

    Args:
        width: width of the figure, in pixels.
        height: height of the figure, in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.figure import Figure

        self._width, self._height = width, height
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor='white')

    def axes(self, left: int, top: int, width: int, height: int) -> Axes:
        """Add axes whose inner rectangle has this position and size, in pixels."""
        bottom = self._height - top - height
        return self._figure.add_axes(
            (left / self._width, bottom / self._height, width / self._width, height / self._height)
        )

    def image(self, pixels: np.ndarray, left: int, top: int) -> Tuple[int, int, int, int]:
        """Draw (H, W, 3) uint8 RGB, pixel for pixel; returns (left, top, width, height)."""
        height, width = pixels.shape[:2]
        axes = self.axes(left, top, width, height)
        axes.imshow(pixels, interpolation='nearest', aspect='auto')
        axes.set_axis_off()
        return left, top, width, height

    def text(
        self, text: str, left: int, top: int, width: int, size: float = 9, color: str = BLACK, weight: str = 'normal'
    ) -> None:
        """Write one line with its upper edge at ``top``, shortened to ``width`` pixels; ``size`` is in points."""
        x, y = left / self._width, 1 - top / self._height
        line = fit_text(text, width, size, weight)
        self._figure.text(x, y, line, fontsize=size, color=color, va='top', weight=weight)

    def colorbar(self, left: int, top: int, width: int, limits: Tuple[float, float], colormap: str) -> None:
        """Draw a horizontal colorbar with the values at its ends and in the middle."""
        axes = self.axes(left, top, width, 9)
        axes.imshow(np.linspace(0, 1, 256)[None], cmap=colormap, aspect='auto', extent=(0, 1, 0, 1))
        axes.set_yticks([])
        axes.set_xticks((0, 0.5, 1))
        low, high = limits
        labels = axes.set_xticklabels([_number(value, high - low) for value in (low, (low + high) / 2, high)])
        labels[0].set_horizontalalignment('left')
        labels[-1].set_horizontalalignment('right')
        axes.tick_params(labelsize=7, length=2, pad=1, colors=BLACK)

    def bars(
        self, left: int, top: int, width: int, height: int, labels: Sequence[str], values: Sequence[float], limit: float
    ) -> Axes:
        """Draw horizontal bars, the first at the top, each followed by its value; ``limit`` is the longest possible."""
        axes = self.axes(left, top, width, height)
        places = list(range(len(values)))
        axes.barh(places, values, height=0.7, color=BLUE)
        for place, value in zip(places, values):
            axes.text(float(value) + limit * 0.02, place, f'{value:.3f}', fontsize=7, va='center', color=BLACK)
        axes.set_yticks(places)
        axes.set_yticklabels(labels, fontsize=7, color=BLACK)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlim(0, limit * 1.28)  # room for the numbers
        axes.set_xticks([])
        axes.tick_params(length=0, pad=2)
        for side in ('top', 'right', 'bottom'):
            axes.spines[side].set_visible(False)
        return axes

    def save(self, path: PathLike) -> None:
        """Write a PNG."""
        with missing_glyphs_ignored():
            self._figure.savefig(str(path), format='png', dpi=_DPI, metadata={'Software': None})


def fit_text(text: str, width: int, size: float = 9, weight: str = 'normal') -> str:
    """Make a line of text that matplotlib draws literally, with its middle left out where it is too long.

    Args:
        text: any string, which may contain undecodable bytes of file names and line breaks.
        width: the available width, in pixels.
        size: the size of the font, in points.
        weight: ``normal`` or ``bold``.

    Returns:
        The line, shortened to the width.
    """
    text = printable(' '.join(text.split()))
    line, (fits, too_long) = text, (0, len(text))
    if _width(text, size, weight) > width:
        while too_long - fits > 1:
            kept = (fits + too_long) // 2
            line = _shortened(text, kept)
            fits, too_long = (kept, too_long) if _width(line, size, weight) <= width else (fits, kept)
        line = _shortened(text, fits)
    return line.replace('$', r'\$')


def _shortened(text: str, kept: int) -> str:
    """``kept`` letters of a text, one half from its beginning and one from its end."""
    return f'{text[: kept // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (kept - kept // 2) :]}'


def _width(line: str, size: float, weight: str) -> float:
    """Upper bound in pixels: hinting, which aligns glyphs to pixels, makes text wider."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    with missing_glyphs_ignored():
        return text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] * _DPI / 72 * 1.07


@contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """Suppress the warnings for glyphs that matplotlib's font lacks, for instance of Chinese; it draws boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph', UserWarning)
        yield


def _number(value: float, extent: float) -> str:
    """Format a value with the decimals for a scale of this extent."""
    return f'{value:.2f}' if extent >= 0.1 else f'{value:.3f}' if extent >= 0.01 else f'{value:.4f}'

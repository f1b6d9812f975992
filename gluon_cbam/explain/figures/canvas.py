"""A matplotlib figure whose parts are placed by pixel, so that pictures in it keep their pixels."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Tuple

import numpy as np

_DPI = 100
INK, FAINT, BARS = '#222222', '#777777', '#4472a8'


class Canvas:
    """A white picture that grows from its upper left corner.

    Args:
        width: in pixels.
        height: likewise.
    """

    def __init__(self, width: int, height: int):
        from matplotlib.figure import Figure

        self._width, self._height = width, height
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor='white')

    def axes(self, left: int, top: int, width: int, height: int):
        """Axes whose inner rectangle has this place and size."""
        bottom = self._height - top - height
        return self._figure.add_axes(
            (left / self._width, bottom / self._height, width / self._width, height / self._height)
        )

    def image(self, pixels: np.ndarray, left: int, top: int) -> Tuple[int, int, int, int]:
        """Put (H, W, 3) uint8 RGB somewhere, pixel for pixel; returns (left, top, width, height)."""
        height, width = pixels.shape[:2]
        axes = self.axes(left, top, width, height)
        axes.imshow(pixels, interpolation='nearest', aspect='auto')
        axes.set_axis_off()
        return left, top, width, height

    def text(
        self, text: str, left: int, top: int, width: int, size: float = 9, color: str = INK, weight: str = 'normal'
    ) -> None:
        """Write one line, as much of it as fits into ``width``, with its upper edge at ``top``."""
        x, y = left / self._width, 1 - top / self._height
        line = fitting(text, width, size, weight)
        self._figure.text(x, y, line, fontsize=size, color=color, va='top', weight=weight)

    def scale(self, left: int, top: int, width: int, limits: Tuple[float, float], colours: str) -> None:
        """A horizontal colour scale with its ends and its middle in numbers."""
        axes = self.axes(left, top, width, 9)
        axes.imshow(np.linspace(0, 1, 256)[None], cmap=colours, aspect='auto', extent=(0, 1, 0, 1))
        axes.set_yticks([])
        axes.set_xticks((0, 0.5, 1))
        low, high = limits
        labels = axes.set_xticklabels([_number(value, high - low) for value in (low, (low + high) / 2, high)])
        for label, side in zip(labels, ('left', 'center', 'right')):
            label.set_horizontalalignment(side)
        axes.tick_params(labelsize=7, length=2, pad=1, colors=INK)

    def bars(self, left: int, top: int, width: int, height: int, labels, values, limit: float):
        """Horizontal bars, the first at the top, each with its value behind it; returns the axes."""
        axes = self.axes(left, top, width, height)
        places = np.arange(len(values))
        axes.barh(places, values, height=0.7, color=BARS)
        for place, value in zip(places, values):
            axes.text(value + limit * 0.02, place, f'{value:.3f}', fontsize=7, va='center', color=INK)
        axes.set_yticks(places)
        axes.set_yticklabels(labels, fontsize=7, color=INK)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlim(0, limit * 1.28)  # room for the numbers
        axes.set_xticks([])
        axes.tick_params(length=0, pad=2)
        for side in ('top', 'right', 'bottom'):
            axes.spines[side].set_visible(False)
        return axes

    def save(self, path) -> None:
        """Write a PNG."""
        with _missing_letters_are_boxes():
            self._figure.savefig(str(path), format='png', dpi=_DPI, metadata={'Software': None})


def fitting(text: str, width: int, size: float = 9, weight: str = 'normal') -> str:
    """A line of plain text that matplotlib draws as it is, with its middle left out where it is too long.

    Args:
        text: anything, file names that are no text included.
        width: in pixels.
        size: of the letters, in points.
        weight: ``normal`` or ``bold``.
    """
    text = ' '.join(text.encode('utf-8', 'replace').decode().split())
    line, (fits, not_any_more) = text, (0, len(text))
    if _width(text, size, weight) > width:
        while not_any_more - fits > 1:
            kept = (fits + not_any_more) // 2
            line = _shortened(text, kept)
            fits, not_any_more = (kept, not_any_more) if _width(line, size, weight) <= width else (fits, kept)
        line = _shortened(text, fits)
    return line.replace('$', r'\$')


def _shortened(text: str, kept: int) -> str:
    """The first and the last letters of a text, so many together."""
    return f'{text[: kept // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (kept - kept // 2) :]}'


def _width(line: str, size: float, weight: str) -> float:
    """In pixels, at most: letters are wider where each is moved to whole pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    with _missing_letters_are_boxes():
        return text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] * _DPI / 72 * 1.07


@contextmanager
def _missing_letters_are_boxes():
    """matplotlib's own font has no Chinese letters, for instance, and warns of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph', UserWarning)
        yield


def _number(value: float, spread: float) -> str:
    return f'{value:.2f}' if spread >= 0.1 else f'{value:.3f}' if spread >= 0.01 else f'{value:.4f}'

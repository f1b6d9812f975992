"""The figure of a comparison: images and networks as rows and columns, as in figure 4 of the CBAM paper."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.explain.images.comparison import Cell, Comparison
from gluon_cbam.explain.maps.methods import EXPLAIN_METHODS

from .canvas import GRAY, Canvas
from .overlay import COLORMAP, overlay_map, resize_into

_TILE, _GAP, _MARGIN, _HEAD, _SIDE, _NOTE, _FOOT = 192, 10, 16, 44, 210, 20, 56
_MOST_COLUMNS = 6  # up to this many images are columns, as in the paper; more are rows
_Heading = Tuple[str, str]  # two lines


class _Tile(NamedTuple):
    """One square of the figure, and the line below it."""

    pixels: np.ndarray
    note: str


def draw_comparison(comparison: Comparison, path: PathLike, method: str) -> None:
    """Draw a comparison, a PNG that is written atomically.

    Args:
        comparison: a comparison with at least one image that could be read.
        path: the path of the figure.
        method: the method, a key of :data:`.methods.EXPLAIN_METHODS`.
    """
    cells = comparison.cells
    images = [
        (row[0].explanation.image.name, f'{comparison.chosen_by(row).words}: {row[0].activation.label}')
        for row in cells
    ]
    networks = [('input', ''), *((each.network, each.weights or '') for each in comparison.contenders)]
    tiles = [[_Tile(resize_into(row[0].explanation.pixels, _TILE), ''), *map(_tile, row)] for row in cells]
    if len(images) > _MOST_COLUMNS:
        _draw_table(images, networks, tiles, path, EXPLAIN_METHODS[method].title)
    else:
        _draw_table(networks, images, [list(column) for column in zip(*tiles)], path, EXPLAIN_METHODS[method].title)


def _tile(cell: Cell) -> _Tile:
    best, activation = cell.explanation.top[0], cell.activation
    predicted = '' if best.index == activation.class_index else f', predicted {best.label}'
    overlay = overlay_map(cell.explanation.pixels, activation.heat, activation.grid, (0, 1), _TILE)
    return _Tile(overlay, f'P = {cell.probability:.4f}{predicted}')


def _draw_table(
    rows: Sequence[_Heading], columns: Sequence[_Heading], tiles: List[List[_Tile]], path: PathLike, method: str
) -> None:
    step, height = _TILE + _GAP, _TILE + _NOTE + _GAP
    right = _MARGIN + _SIDE + len(columns) * step
    canvas = Canvas(right + _MARGIN, _MARGIN + _HEAD + len(rows) * height + _FOOT)
    for number, heading in enumerate(columns):
        _write_heading(canvas, heading, _MARGIN + _SIDE + number * step, _MARGIN, _TILE)
    for number, (heading, row) in enumerate(zip(rows, tiles)):
        top = _MARGIN + _HEAD + number * height
        _write_heading(canvas, heading, _MARGIN, top + _TILE // 2 - 16, _SIDE - 10)
        for place, tile in enumerate(row):
            left = _MARGIN + _SIDE + place * step
            canvas.image(tile.pixels, left, top)
            canvas.text(tile.note, left, top + _TILE + 3, _TILE, 8)
    bottom = _MARGIN + _HEAD + len(rows) * height
    canvas.text(
        f'{method}, each map from 0 to its largest value', _MARGIN + _SIDE, bottom, len(columns) * step, 8, GRAY
    )
    canvas.colorbar(_MARGIN + _SIDE, bottom + 20, _TILE, (0, 1), COLORMAP)
    with atomic_path(path) as temporary:
        canvas.save(temporary)


def _write_heading(canvas: Canvas, heading: _Heading, left: int, top: int, width: int) -> None:
    canvas.text(heading[0], left, top, width, 10, weight='bold')
    canvas.text(heading[1], left, top + 18, width, 9, GRAY)

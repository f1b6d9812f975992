"""The picture of a comparison: images and networks as rows and columns."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

import numpy as np

from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.explain.maps.grad_cam import TITLES

from .canvas import FAINT, Canvas
from .overlay import COLOURS, enlarged, lay_over

_TILE, _GAP, _MARGIN, _HEAD, _SIDE, _NOTE, _FOOT = 192, 10, 16, 44, 210, 20, 56
_ACROSS = 6  # images are columns up to this many, as in the paper, and rows beyond


class _Tile(NamedTuple):
    """One square of the picture, and the line below it."""

    pixels: np.ndarray
    note: str


def draw(entries: Sequence, cells: Sequence[Sequence], path: PathLike, method: str) -> None:
    """Draw a comparison, a PNG that appears whole or not at all.

    Args:
        entries: the networks, of :class:`.comparison.Entry`.
        cells: of each image a row of :class:`.comparison.Cell`.
        path: of the picture.
        method: of Grad-CAM, a key of :data:`.gradcam.METHODS`.
    """
    images = [(row[0].seen.file, f'class: {row[0].evidence.label}') for row in cells]
    networks = [('input', ''), *((entry.network, entry.weights or '') for entry in entries)]
    tiles = [[_Tile(enlarged(row[0].seen.pixels, _TILE), ''), *map(_tile, row)] for row in cells]
    if len(images) > _ACROSS:
        _draw(images, networks, tiles, path, TITLES[method])
    else:
        _draw(networks, images, [list(column) for column in zip(*tiles)], path, TITLES[method])


def _tile(cell) -> _Tile:
    pixels, evidence = cell.seen.pixels, cell.evidence
    best = cell.seen.top[0]
    instead = '' if best.index == evidence.index else f', says {best.label}'
    return _Tile(lay_over(pixels, evidence.heat, evidence.grid, (0, 1), _TILE), f'P = {cell.probability:.4f}{instead}')


def _draw(rows, columns, tiles: List[List[_Tile]], path, method: str) -> None:
    """``rows`` and ``columns`` are their names, of two lines each."""
    step, height = _TILE + _GAP, _TILE + _NOTE + _GAP
    right = _MARGIN + _SIDE + len(columns) * step
    canvas = Canvas(right + _MARGIN, _MARGIN + _HEAD + len(rows) * height + _FOOT)
    for number, names in enumerate(columns):
        _names(canvas, names, _MARGIN + _SIDE + number * step, _MARGIN, _TILE)
    for number, (names, row) in enumerate(zip(rows, tiles)):
        top = _MARGIN + _HEAD + number * height
        _names(canvas, names, _MARGIN, top + _TILE // 2 - 16, _SIDE - 10)
        for place, tile in enumerate(row):
            left = _MARGIN + _SIDE + place * step
            canvas.image(tile.pixels, left, top)
            canvas.text(tile.note, left, top + _TILE + 3, _TILE, 8)
    bottom = _MARGIN + _HEAD + len(rows) * height
    canvas.text(
        f'{method}, each map from 0 to its largest value', _MARGIN + _SIDE, bottom, len(columns) * step, 8, FAINT
    )
    canvas.scale(_MARGIN + _SIDE, bottom + 20, _TILE, (0, 1), COLOURS)
    with atomic_path(path) as temporary:
        canvas.save(temporary)


def _names(canvas, names, left, top, width) -> None:
    canvas.text(names[0], left, top, width, 10, weight='bold')
    canvas.text(names[1], left, top + 18, width, 9, FAINT)

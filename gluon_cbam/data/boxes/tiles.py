"""Cutting large pictures with boxes into tiles."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple

import numpy as np

from gluon_cbam.common.errors import UsageError

from .table import Boxes, box_areas

_INSIDE = 0.5  # share of a box that must be in a tile; else it is difficult there
_LEAST = 1.0  # pixels of a side of a box that is cut; less is left out


class Tile(NamedTuple):
    """A tile.

    Attributes:
        left: its column in the picture, in pixels.
        top: its row.
        pixels: (tile, tile, 3) uint8, or smaller for a smaller picture.
        boxes: the boxes in pixels of the tile, cut at its borders.
    """

    left: int
    top: int
    pixels: np.ndarray
    boxes: Boxes


def cut_tiles(pixels: np.ndarray, boxes: Boxes, size: int, overlap: int = 0) -> Iterator[Tile]:
    """Cut a picture into tiles of one size that cover it.

    As many tiles as are needed are spread evenly, so that neighbors overlap by ``overlap`` pixels at least. Boxes are
    cut at the borders of a tile; one of which less than half is inside is difficult there.

    Args:
        pixels: (H, W, 3) uint8.
        boxes: its boxes.
        size: height and width of a tile in pixels.
        overlap: least number of pixels that neighbors share.

    Yields:
        The tiles, row by row.

    Raises:
        UsageError: the overlap is negative, or as large as a tile.
    """
    if not 0 <= overlap < size:
        raise UsageError(f'the overlap of tiles of {size} pixels must be 0 to {size - 1}, got {overlap}')
    height, width = pixels.shape[:2]
    for top in tile_starts(height, size, overlap):
        for left in tile_starts(width, size, overlap):
            part = pixels[top : top + size, left : left + size]
            yield Tile(left, top, part, _cut(boxes, left, top, *part.shape[:2]))


def tile_starts(length: int, size: int, overlap: int) -> List[int]:
    """Where the tiles begin along a side: as many as are needed, spread evenly.

    Args:
        length: the side in pixels.
        size: side of a tile.
        overlap: least number of pixels that neighbors share, less than ``size``.
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return np.round(np.linspace(0, length - size, count)).astype(int).tolist()


def _cut(boxes: Boxes, left: int, top: int, height: int, width: int) -> Boxes:
    corners = boxes.corners - [left, top, left, top]
    inside = corners.clip(0, [width, height, width, height])
    shares = box_areas(inside) / box_areas(corners)
    kept = (inside[:, 2:] - inside[:, :2] >= _LEAST).all(axis=1)
    difficult = boxes.difficult | (shares < _INSIDE)
    return Boxes.of(inside, boxes.classes, difficult, boxes.crowd, boxes.areas * shares).chosen(kept)

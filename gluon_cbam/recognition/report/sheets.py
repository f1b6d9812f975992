"""Sheets of pairs of pictures with a text below each: the worst of a verification or of an identification."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import CbamError
from gluon_cbam.explain.figures.canvas import BLACK, GRAY, Canvas

WORST = 12
"""Pairs on a sheet."""
_SIDE, _GAP, _COLUMNS, _LINES, _TOP = 112, 20, 3, 52, 62  # pixels, but for the columns
_WRONG = '#b03020'


class SheetPair(NamedTuple):
    """A pair on a sheet.

    Attributes:
        load: give the pixels of its images, (H, W, 3) uint8 RGB.
        names: the names of its images.
        text: what is said of it.
        wrong: whether it is shown as a mistake.
    """

    load: Tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]
    names: Tuple[str, str]
    text: str
    wrong: bool


def draw_sheet(pairs: Sequence[SheetPair], title: str, note: str, path: Path) -> None:
    """Draw the images of pairs with their texts.

    Args:
        pairs: the pairs.
        title: the title of the sheet.
        note: a line below the title.
        path: the PNG file.
    """
    cell = 2 * _SIDE + _GAP
    width, height = _COLUMNS * (cell + _GAP) + _GAP, _TOP + -(-len(pairs) // _COLUMNS) * (_SIDE + _LINES + _GAP)
    canvas, sheet = Canvas(width, height), np.full((height, width, 3), 255, np.uint8)
    places = [
        (_GAP + place % _COLUMNS * (cell + _GAP), _TOP + place // _COLUMNS * (_SIDE + _LINES + _GAP))
        for place in range(len(pairs))
    ]
    for pair, (left, top) in zip(pairs, places):
        for side, load in enumerate(pair.load):
            start = left + side * (_SIDE + 4)
            sheet[top : top + _SIDE, start : start + _SIDE] = _thumbnail(load)
    canvas.image(sheet, 0, 0)  # at once: axes for each image take a second for a sheet
    canvas.text(title, _GAP, 12, width - 2 * _GAP, 12, BLACK, 'bold')
    canvas.text(note, _GAP, 36, width - 2 * _GAP, 9, GRAY)
    for pair, (left, top) in zip(pairs, places):
        canvas.text(pair.text, left, top + _SIDE + 4, cell, 8, _WRONG if pair.wrong else BLACK)
        for line, name in enumerate(pair.names):
            canvas.text(name, left, top + _SIDE + 19 + 14 * line, cell, 7, GRAY)
    canvas.save(path)


def _thumbnail(load: Callable[[], np.ndarray]) -> np.ndarray:
    """(_SIDE, _SIDE, 3) uint8, the whole image on gray; gray where it cannot be read."""
    square = np.full((_SIDE, _SIDE, 3), 230, np.uint8)
    try:
        pixels = load()
    except (CbamError, OSError):
        return square
    scale = _SIDE / max(pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(pixels, (width, height), interpolation=way)
    return square

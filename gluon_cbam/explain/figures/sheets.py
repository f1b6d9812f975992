"""Sheets of pictures, or of groups of them, with a text below each: the worst of a set."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, NamedTuple, Sequence

import cv2
import numpy as np

from gluon_cbam.common.errors import CbamError

from .canvas import BLACK, GRAY, Canvas
from .overlay import PIXELATED

WORST = 12
"""Groups on a sheet."""
_SIDE, _BETWEEN, _GAP, _COLUMNS, _TOP = 112, 4, 20, 3, 62  # pixels, but for the columns
_LINES, _LINE = 24, 14  # pixels of the text with what is below it, and of each name
_WRONG = '#b03020'


class SheetGroup(NamedTuple):
    """Pictures that stand together on a sheet; all groups of a sheet have as many.

    Attributes:
        load: give the pixels of each, (H, W, 3) uint8 RGB.
        names: the lines below the text, such as the names of the pictures.
        text: what is said of them.
        wrong: whether the text is shown as a mistake.
    """

    load: Sequence[Callable[[], np.ndarray]]
    names: Sequence[str]
    text: str
    wrong: bool


def draw_sheet(
    groups: Sequence[SheetGroup], title: str, note: str, path: Path, columns: int = _COLUMNS, side: int = _SIDE
) -> None:
    """Draw groups of pictures with their texts.

    Args:
        groups: the groups, at least one.
        title: the title of the sheet.
        note: a line below the title.
        path: the PNG file.
        columns: groups in a row.
        side: height and width of a picture, in pixels.
    """
    cell = len(groups[0].load) * (side + _BETWEEN) - _BETWEEN
    row = side + _LINES + _LINE * len(groups[0].names) + _GAP
    width, height = columns * (cell + _GAP) + _GAP, _TOP + -(-len(groups) // columns) * row
    canvas, sheet = Canvas(width, height), np.full((height, width, 3), 255, np.uint8)
    places = [(_GAP + place % columns * (cell + _GAP), _TOP + place // columns * row) for place in range(len(groups))]
    for group, (left, top) in zip(groups, places):
        for number, load in enumerate(group.load):
            start = left + number * (side + _BETWEEN)
            sheet[top : top + side, start : start + side] = _thumbnail(load, side)
    canvas.image(sheet, 0, 0)  # at once: axes for each image take a second for a sheet
    canvas.text(title, _GAP, 12, width - 2 * _GAP, 12, BLACK, 'bold')
    canvas.text(note, _GAP, 36, width - 2 * _GAP, 9, GRAY)
    for group, (left, top) in zip(groups, places):
        canvas.text(group.text, left, top + side + 4, cell, 8, _WRONG if group.wrong else BLACK)
        for line, name in enumerate(group.names):
            canvas.text(name, left, top + side + 19 + _LINE * line, cell, 7, GRAY)
    canvas.save(path)


def _thumbnail(load: Callable[[], np.ndarray], side: int) -> np.ndarray:
    """(side, side, 3) uint8, the whole image on gray; gray where it cannot be read."""
    square = np.full((side, side, 3), 230, np.uint8)
    try:
        pixels = load()
    except (CbamError, OSError):
        return square
    scale = side / max(pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR if scale < PIXELATED else cv2.INTER_NEAREST
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(pixels, (width, height), interpolation=way)
    return square

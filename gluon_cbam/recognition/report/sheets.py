"""Sheets of the worst pairs: different persons that look most alike, and one person that looks least alike."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, NamedTuple, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import CbamError
from gluon_cbam.explain.figures.canvas import BLACK, GRAY, Canvas
from gluon_cbam.recognition.verification import VerifiedPairs

WORST = 12
"""Pairs on a sheet."""
_SIDE, _GAP, _COLUMNS, _LINES, _TOP = 112, 20, 3, 52, 62  # pixels, but for the columns
_WRONG = '#b03020'


class WorstPair(NamedTuple):
    """A pair on a sheet.

    Attributes:
        number: its number in the set.
        names: the names of its images.
        similarity: their cosine similarity.
        wrong: whether it lies on the wrong side of the threshold.
    """

    number: int
    names: Tuple[str, str]
    similarity: float
    wrong: bool


def worst_pairs(result: VerifiedPairs, same: bool, most: int = WORST) -> List[WorstPair]:
    """The pairs of a kind that are the furthest on the wrong side, the worst first.

    Args:
        result: the verified set.
        same: False for different persons that are most alike, True for one person that is least alike.
        most: number of pairs.

    Returns:
        The pairs.
    """
    numbers = np.flatnonzero(result.same == same)
    order = np.argsort(result.distances[numbers] * (-1 if same else 1), kind='stable')[:most]
    found = []
    for number in numbers[order].tolist():
        first, second = (result.image_name(image) for image in result.pairs[number].tolist())
        accepted = bool(result.distances[number] < result.threshold)
        found.append(WorstPair(number, (first, second), float(result.similarities[number]), accepted != same))
    return found


def draw_sheet(result: VerifiedPairs, pairs: List[WorstPair], title: str, path: Path) -> None:
    """Draw the images of pairs with their similarities.

    Args:
        result: the verified set, whose images can be loaded.
        pairs: the pairs, see :func:`worst_pairs`.
        title: the title of the sheet.
        path: the PNG file.
    """
    assert result.load is not None, 'the images of the set can be loaded'
    cell = 2 * _SIDE + _GAP
    width, height = _COLUMNS * (cell + _GAP) + _GAP, _TOP + -(-len(pairs) // _COLUMNS) * (_SIDE + _LINES + _GAP)
    canvas, sheet = Canvas(width, height), np.full((height, width, 3), 255, np.uint8)
    places = [
        (_GAP + place % _COLUMNS * (cell + _GAP), _TOP + place // _COLUMNS * (_SIDE + _LINES + _GAP))
        for place in range(len(pairs))
    ]
    for pair, (left, top) in zip(pairs, places):
        for side, image in enumerate(result.pairs[pair.number].tolist()):
            start = left + side * (_SIDE + 4)
            sheet[top : top + _SIDE, start : start + _SIDE] = _thumbnail(result.load, image)
    canvas.image(sheet, 0, 0)  # at once: axes for each image take a second for a sheet
    wrong = sum(pair.wrong for pair in pairs)
    canvas.text(title, _GAP, 12, width - 2 * _GAP, 12, BLACK, 'bold')
    text = f'{wrong} of these {len(pairs)} are on the wrong side of the threshold'
    canvas.text(text, _GAP, 36, width - 2 * _GAP, 9, GRAY)
    for pair, (left, top) in zip(pairs, places):
        verdict, color = ('wrong', _WRONG) if pair.wrong else ('right', BLACK)
        text = f'pair {pair.number}: similarity {pair.similarity:.3f}, {verdict}'
        canvas.text(text, left, top + _SIDE + 4, cell, 8, color)
        for line, name in enumerate(pair.names):
            canvas.text(name, left, top + _SIDE + 19 + 14 * line, cell, 7, GRAY)
    canvas.save(path)


def _thumbnail(load: Callable[[int], np.ndarray], number: int) -> np.ndarray:
    """(_SIDE, _SIDE, 3) uint8, the whole image on gray; gray where it cannot be read."""
    square = np.full((_SIDE, _SIDE, 3), 230, np.uint8)
    try:
        pixels = load(number)
    except (CbamError, OSError):
        return square
    scale = _SIDE / max(pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(pixels, (width, height), interpolation=way)
    return square

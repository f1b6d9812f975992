"""Masks drawn over pictures, with a legend of the classes."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.common.printable import printable
from gluon_cbam.data.class_masks.coco import BACKGROUND
from gluon_cbam.data.class_masks.palette import palette
from gluon_cbam.data.class_masks.values import IGNORED, counts_of
from gluon_cbam.detection.drawing import fit, font

_OPACITY = 0.55
_MOST_ROWS = 12  # of the legend
_MOST_LETTERS = 32
_LETTER = 14  # height of letters in pixels
_MARGIN = 6


def draw_mask(pixels: np.ndarray, mask: np.ndarray, names: Sequence[str], side: int = 800) -> np.ndarray:
    """Draw the classes of a mask over a picture in the colors of :func:`.palette`, and their names with their shares.

    The background, which is a class of this name, is left as it is; ignored pixels are nearly white. Borders between
    classes are white.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8.
        names: names of the classes.
        side: the longer side of the result in pixels, without the legend.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    image, _ = fit(pixels, side)
    height, width = image.shape[:2]
    values = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    drawn = np.ones(256, bool)
    drawn[: len(names)] = [name != BACKGROUND for name in names]
    covered = drawn[values][..., None]
    blended = np.where(covered, (1 - _OPACITY) * image + _OPACITY * palette()[values], image)
    border = np.zeros(values.shape, bool)
    border[1:] |= values[1:] != values[:-1]
    border[:, 1:] |= values[:, 1:] != values[:, :-1]
    blended[border] = 255
    return np.concatenate([blended.round().astype(np.uint8), _legend(mask, names, width)])


def _legend(mask: np.ndarray, names: Sequence[str], width: int) -> np.ndarray:
    """The classes of a mask, the largest first: (rows, width, 3) uint8 RGB."""
    from PIL import Image, ImageDraw

    rows = _rows(mask, names)
    step = _LETTER + _MARGIN
    image = Image.new('RGB', (width, step * len(rows) + _MARGIN), (255, 255, 255))
    draw, letters = ImageDraw.Draw(image), font(_LETTER)
    for number, (value, text) in enumerate(rows):
        top = _MARGIN + step * number
        color = tuple(palette()[value].tolist())
        draw.rectangle((_MARGIN, top, _MARGIN + _LETTER, top + _LETTER), fill=color, outline=(0, 0, 0))
        draw.text((2 * _MARGIN + _LETTER, top - 1), text, font=letters, fill=(0, 0, 0))
    return np.array(image)


def _rows(mask: np.ndarray, names: Sequence[str]) -> List[Tuple[int, str]]:
    """Value and text of each row of the legend."""
    counts = counts_of(mask)
    rows = []
    for value in np.argsort(-counts, kind='stable')[: np.count_nonzero(counts)].tolist():
        name = 'ignored' if value == IGNORED else names[value] if value < len(names) else str(value)
        rows.append((value, f'{printable(name)[:_MOST_LETTERS]} {counts[value] / mask.size:.1%}'))
    return rows[:_MOST_ROWS]

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
_STRIPE = 4  # width of a stripe in pixels
_WRONG = (200, 30, 30)


def draw_mask(pixels: np.ndarray, mask: np.ndarray, names: Sequence[str], side: int = 800) -> np.ndarray:
    """Draw the classes of a mask over a picture in the colors of :func:`.palette`, and their names with their shares.

    The background, which is a class of this name, is left as it is; ignored pixels are striped. Borders between classes
    are white.

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
    blended = np.where(covered, (1 - _OPACITY) * image + _OPACITY * _colors(values), image)
    border = np.zeros(values.shape, bool)
    border[1:] |= values[1:] != values[:-1]
    border[:, 1:] |= values[:, 1:] != values[:, :-1]
    blended[border] = 255
    return np.concatenate([blended.round().astype(np.uint8), _legend(mask, names, width)])


def draw_errors(pixels: np.ndarray, truth: np.ndarray, found: np.ndarray, side: int = 800) -> np.ndarray:
    """Draw the pixels whose class is wrong in red, over the picture in pale gray; ignored ones are striped.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8, the true mask.
        found: (H, W) uint8, the predicted mask.
        side: the longer side of the result in pixels.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    image, _ = fit(pixels, side)
    height, width = image.shape[:2]
    true, predicted = (cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) for mask in (truth, found))
    gray = np.repeat(128 + cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 2, 3, axis=2)
    ignored = (true == IGNORED)[..., None]
    wrong = (true != predicted)[..., None]
    drawn = np.where(ignored, 0.5 * gray + 0.5 * _stripes(height, width), np.where(wrong, _WRONG, gray))
    return drawn.round().astype(np.uint8)


def _colors(values: np.ndarray) -> np.ndarray:
    """The color of each pixel of a mask, stripes where it is ignored: (H, W, 3) uint8 RGB."""
    return np.where((values == IGNORED)[..., None], _stripes(*values.shape), palette()[values])


def _stripes(height: int, width: int) -> np.ndarray:
    """Oblique stripes of black and white, the color of ignored pixels, which no class has: (height, width, 3) uint8."""
    rows, columns = np.ogrid[:height, :width]
    stripes = np.where((rows + columns) // _STRIPE % 2, 255, 0).astype(np.uint8)
    return np.repeat(stripes[..., None], 3, axis=2)


def _legend(mask: np.ndarray, names: Sequence[str], width: int) -> np.ndarray:
    """The classes of a mask, the largest first: (rows, width, 3) uint8 RGB."""
    from PIL import Image, ImageDraw

    rows = _rows(mask, names)
    step = _LETTER + _MARGIN
    image = Image.new('RGB', (width, step * len(rows) + _MARGIN), (255, 255, 255))
    draw, letters = ImageDraw.Draw(image), font(_LETTER)
    for number, (value, text) in enumerate(rows):
        left, top, right, bottom = (
            _MARGIN,
            _MARGIN + step * number,
            _MARGIN + _LETTER,
            _MARGIN + step * number + _LETTER,
        )
        image.paste(Image.fromarray(_colors(np.full((_LETTER, _LETTER), value, np.uint8))), (left, top))
        draw.rectangle((left, top, right, bottom), outline=(0, 0, 0))
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

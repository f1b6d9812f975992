"""Boxes drawn on an image, with the names of their classes and their scores."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.common.printable import printable
from gluon_cbam.tasks.detection.detections import Detections

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes

Color = Tuple[int, int, int]
_TURN = 0.618034  # of the color wheel between two classes: the golden ratio, which keeps them apart for any number
_LEAST_TEXT, _TEXT, _LINE = 10, 45, 250  # smallest font in pixels; the longer side over the font, and over the lines
_MANY = 30  # boxes, from which on labels that are larger than their boxes are left out
_MOST_LETTERS = 32
_DASH = 4  # dashes are this many line widths long


class DrawnBox(NamedTuple):
    """A box to draw.

    Attributes:
        corners: xmin, ymin, xmax, ymax in pixels of the image.
        text: its label; empty for none.
        color: RGB.
        dashed: whether its lines are dashed.
    """

    corners: Tuple[float, float, float, float]
    text: str
    color: Color
    dashed: bool = False


def class_color(index: int) -> Color:
    """The color of a class, RGB; neighbors differ much.

    Args:
        index: index of the class.
    """
    red, green, blue = colorsys.hsv_to_rgb(0.33 + index * _TURN, (0.9, 0.6, 1.0)[index % 3], (1.0, 1.0, 0.8)[index % 3])
    return round(255 * red), round(255 * green), round(255 * blue)


def detection_boxes(found: Detections, names: Sequence[str], wrong: Optional[np.ndarray] = None) -> List[DrawnBox]:
    """The detections of an image to draw, the surest first.

    Args:
        found: the detections.
        names: names of the classes.
        wrong: (m,) bool, detections that are dashed; default none.
    """
    dashed = np.zeros(len(found), bool) if wrong is None else wrong
    return [
        DrawnBox(
            tuple(found.corners[row].tolist()), f'{_name(names, found.classes[row])} {found.scores[row]:.2f}',
            class_color(int(found.classes[row])), bool(dashed[row]),
        )
        for row in np.argsort(-found.scores, kind='stable')
    ]  # fmt: skip


def true_boxes(boxes: Boxes, names: Sequence[str]) -> List[DrawnBox]:
    """The true boxes of an image to draw, the largest first; crowds and difficult objects are dashed and say so.

    Args:
        boxes: the boxes.
        names: names of the classes.
    """
    sides = boxes.corners[:, 2:] - boxes.corners[:, :2]
    drawn = []
    for row in np.argsort(-np.prod(sides, axis=1), kind='stable'):
        flag = ' (crowd)' if boxes.crowd[row] else ' (difficult)' if boxes.difficult[row] else ''
        color = class_color(int(boxes.classes[row]))
        corners = tuple(boxes.corners[row].tolist())
        drawn.append(DrawnBox(corners, f'{_name(names, boxes.classes[row])}{flag}', color, bool(flag)))
    return drawn


def _name(names: Sequence[str], index: Any) -> str:
    name = printable(names[int(index)])
    return name if len(name) <= _MOST_LETTERS else f'{name[: _MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}'


def draw_segmentations(pixels: np.ndarray, boxes: Union[Boxes, Detections]) -> np.ndarray:
    """Color the pixels of the objects of an image that have a segmentation, half of which is the image's.

    Args:
        pixels: (H, W, 3) uint8 RGB, in the size of the picture; it is not changed.
        boxes: the objects, true or found; where they overlap, the last one's color is on top.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from gluon_cbam.data.boxes.segmentations import bitmap

    result = pixels.copy()
    for text, label in zip(boxes.segmentations if boxes.segmentations is not None else (), boxes.classes.tolist()):
        if text:
            inside = bitmap(text, *pixels.shape[:2]) > 0
            result[inside] = (pixels[inside].astype(np.int64) + class_color(label)) // 2
    return result


def draw_boxes(pixels: np.ndarray, boxes: Sequence[DrawnBox]) -> np.ndarray:
    """Draw boxes and their labels; lines and letters grow with the image.

    A label stands above its box, in it or below it, where there is room. One that would cover a label of an earlier box
    is left out, and among many boxes one that is larger than its box, so that boxes and labels stay readable.

    Args:
        pixels: (H, W, 3) uint8 RGB; it is not changed.
        boxes: the boxes, the most important first.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    side = max(image.size)
    width, letters = max(1, round(side / _LINE)), font(max(_LEAST_TEXT, round(side / _TEXT)))
    for box in reversed(boxes):
        _draw_lines(draw, box, width)
    taken: List[Tuple[int, int, int, int]] = []
    for box in boxes:
        if box.text:
            _draw_label(draw, box, letters, width, image.size, taken, len(boxes) > _MANY)
    return np.array(image)


def fit(pixels: np.ndarray, side: int) -> Tuple[np.ndarray, float]:
    """Resize an image so that its longer side has a length, before boxes are drawn on it.

    Args:
        pixels: (H, W, 3) uint8.
        side: the length in pixels.

    Returns:
        The image, and the factor that its coordinates are multiplied with.
    """
    import cv2

    scale = side / max(pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale > 2 else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=way), scale


def scaled(boxes: Sequence[DrawnBox], scale: float) -> List[DrawnBox]:
    """Boxes in the coordinates of a resized image, see :func:`fit`."""
    return [box._replace(corners=tuple(value * scale for value in box.corners)) for box in boxes]  # type: ignore[arg-type]


def font(size: int) -> Any:
    """The font that comes with matplotlib, since Pillow's own has no sizes before its release 10.

    Args:
        size: height of the letters in pixels.
    """
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')), size)


def _draw_lines(draw: Any, box: DrawnBox, width: int) -> None:
    """Draw the four lines inside of the box."""
    left, top, right, bottom = (round(value) for value in box.corners)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    for x, y, length, across in (
        (left, top, right - left, True), (left, bottom - width, right - left, True),
        (left, top, bottom - top, False), (right - width, top, bottom - top, False),
    ):  # fmt: skip
        for start, stop in _dashes(length, width) if box.dashed else ((0, length),):
            first = (x + start, y) if across else (x, y + start)
            last = (x + stop - 1, y + width - 1) if across else (x + width - 1, y + stop - 1)
            draw.rectangle((*first, max(first[0], last[0]), max(first[1], last[1])), fill=box.color)


def _dashes(length: int, width: int) -> List[Tuple[int, int]]:
    step = 2 * _DASH * width
    return [(start, min(start + step // 2, length)) for start in range(0, length, step)]


def _draw_label(
    draw: Any,
    box: DrawnBox,
    letters: Any,
    width: int,
    size: Tuple[int, int],
    taken: List[Tuple[int, int, int, int]],
    many: bool,
) -> None:
    """Draw a label on the color of its box, unless it would cover one of ``taken``, to which it is added."""
    left, top, right, bottom = draw.textbbox((0, 0), box.text, font=letters)
    wide, high = right - left + 4, bottom - top + 4
    if many and wide * high > (box.corners[2] - box.corners[0]) * (box.corners[3] - box.corners[1]):
        return
    x = max(0, min(round(box.corners[0]), size[0] - wide))
    above, inside, below = round(box.corners[1]) - high, round(box.corners[1]) + width, round(box.corners[3])
    heights = [y for y in (above, inside, below) if 0 <= y <= size[1] - high] or [max(0, min(above, size[1] - high))]
    places = ((x, y, x + wide, y + high) for y in heights)
    place = next((each for each in places if not any(_cover(each, other) for other in taken)), None)
    if place is None:
        return
    taken.append(place)
    y = place[1]
    dark = 0.299 * box.color[0] + 0.587 * box.color[1] + 0.114 * box.color[2] < 128
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=box.color)
    draw.text((x + 2 - left, y + 2 - top), box.text, font=letters, fill=(255, 255, 255) if dark else (0, 0, 0))


def _cover(first: Tuple[int, int, int, int], second: Tuple[int, int, int, int]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]

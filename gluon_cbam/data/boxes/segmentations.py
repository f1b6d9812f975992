"""The segmentation of an object, as COCO has it: polygons, or a run-length encoded mask.

A segmentation is kept as its JSON without spaces. Polygons stay polygons. Masks have the compressed counts of
pycocotools (``rleToString`` of its ``common/maskApi.c``), whatever they were read with, so that a mask of a large
picture takes some hundred bytes.
"""

from __future__ import annotations

import json
import math
from typing import Any, List, Sequence, Tuple

import numpy as np

from gluon_cbam.common.quoting import shown

_BITS, _MORE, _FIRST = 5, 0x20, 48  # of a character of compressed counts
_LEAST = 4  # numbers of a polygon; pycocotools takes four for a box


def normalized(value: Any) -> str:
    """A segmentation as it is kept.

    Args:
        value: ``segmentation`` of an annotation: a list of polygons ``[x, y, x, y, ...]`` in pixels, or ``size``, the
            height and the width of the picture, and ``counts``, a list or compressed.

    Returns:
        Its JSON; empty for no segmentation: null, no polygons, or polygons without a point.

    Raises:
        ValueError: it is something else; the message says what is wrong.
    """
    if isinstance(value, dict):
        return _text(_checked_mask(value))
    if not isinstance(value, (list, type(None))):
        raise ValueError(f'segmentation {shown(value)} is neither polygons nor a mask')
    polygons = [polygon for polygon in value or () if polygon != []]
    for polygon in polygons:
        if not (isinstance(polygon, list) and len(polygon) >= _LEAST and len(polygon) % 2 == 0):
            raise ValueError(f'polygon {shown(polygon)} is no list of x, y of two points or more')
        if not all(type(number) in (int, float) and math.isfinite(number) for number in polygon):
            raise ValueError(f'polygon {shown(polygon)} has a coordinate that is no finite number')
    return _text(polygons) if polygons else ''


def _text(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'))


def _checked_mask(value: Any) -> Any:
    size, counts = value.get('size'), value.get('counts')
    whole = isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    if not whole:
        raise ValueError(f'size {shown(size)} of a mask is no height and width')
    if isinstance(counts, str):
        counts = uncompressed(counts)
    if not (isinstance(counts, list) and all(type(count) is int and count >= 0 for count in counts)):
        raise ValueError(f'counts {shown(counts)} of a mask are no numbers of pixels')
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f'the counts of a mask are of {sum(counts)} pixels, its size is {size[1]} x {size[0]}')
    return {'size': size, 'counts': compressed(counts)}


def compressed(counts: Sequence[int]) -> str:
    """Counts of pixels, of zeros first, as the text of pycocotools."""
    letters: List[str] = []
    for number, count in enumerate(counts):
        rest = count - (counts[number - 2] if number > 2 else 0)
        more = True
        while more:
            part, rest = rest & (_MORE - 1), rest >> _BITS
            more = rest != (-1 if part & (_MORE >> 1) else 0)
            letters.append(chr(part + more * _MORE + _FIRST))
    return ''.join(letters)


def uncompressed(text: str) -> List[int]:
    """The counts of a text of :func:`compressed`.

    Raises:
        ValueError: it is no such text.
    """
    counts: List[int] = []
    value, shift = 0, 0
    for letter in text:
        part = ord(letter) - _FIRST
        if not 0 <= part < 2 * _MORE:
            raise ValueError(f'counts {shown(text)} of a mask are not compressed ones')
        value |= (part & (_MORE - 1)) << shift
        shift += _BITS
        if part & _MORE:
            continue
        if part & (_MORE >> 1):
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError(f'counts {shown(text)} of a mask are cut off')
    return counts


def mask_size(segmentation: str) -> Tuple[int, int]:
    """Height and width of the picture that a mask states; 0, 0 for polygons, which state none."""
    value = json.loads(segmentation)
    return tuple(value['size']) if isinstance(value, dict) else (0, 0)


def bitmap(segmentation: str, height: int, width: int) -> np.ndarray:
    """The pixels of an object.

    Args:
        segmentation: see :func:`normalized`.
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.

    Returns:
        (height, width) uint8, 1 inside. Masks are exact; polygons are filled by OpenCV to a pixel at their borders.
    """
    import cv2

    value = json.loads(segmentation)
    if isinstance(value, dict):
        counts = uncompressed(value['counts'])
        pixels = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
        return pixels.reshape(width, height).T
    result = np.zeros((height, width), np.uint8)
    for polygon in value:
        points = np.array(polygon, np.float64).reshape(-1, 2) - 0.5  # OpenCV's are centers of pixels
        cv2.fillPoly(result, [np.round(points).astype(np.int32)], 1)
    return result


def scaled(segmentation: str, height: int, width: int, new_height: int, new_width: int) -> str:
    """The segmentation of a picture that is resized.

    Args:
        segmentation: see :func:`normalized`.
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.
        new_height: its height afterwards.
        new_width: its width afterwards.
    """
    import cv2

    value = json.loads(segmentation)
    if isinstance(value, list):
        factors = new_width / width, new_height / height
        return _text([[number * factors[at % 2] for at, number in enumerate(polygon)] for polygon in value])
    pixels = bitmap(segmentation, height, width)
    resized = cv2.resize(np.ascontiguousarray(pixels), (new_width, new_height), interpolation=cv2.INTER_NEAREST)
    flat = resized.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *ends.tolist(), len(flat)]).tolist()
    return _text({'size': [new_height, new_width], 'counts': compressed([0, *counts] if flat[0] else counts)})

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

from .regions import polygon_mask
from .run_lengths import compressed, counts_of, pixels_of, uncompressed

_FARTHEST = 10  # sides of a picture
_LEAST = 6  # numbers of a polygon, of three points; pycocotools takes four for a box, others leave them out


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
            raise ValueError(f'polygon {shown(polygon)} is no list of x, y of three points or more')
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
        counts = uncompressed(counts).tolist()
    largest = size[0] * size[1]
    if not (isinstance(counts, list) and all(type(count) is int and 0 <= count <= largest for count in counts)):
        raise ValueError(f'counts {shown(counts)} of a mask are no numbers of pixels')
    if sum(counts) != largest:
        raise ValueError(f'the counts of a mask are of {sum(counts)} pixels, its size is {size[1]} x {size[0]}')
    return {'size': size, 'counts': compressed(counts)}


def mask_size(segmentation: str) -> Tuple[int, int]:
    """Height and width of the picture that a mask states; 0, 0 for polygons, which state none."""
    value = json.loads(segmentation)
    return tuple(value['size']) if isinstance(value, dict) else (0, 0)


def bitmap(segmentation: str, height: int, width: int) -> np.ndarray:
    """The pixels of an object, as pycocotools computes them.

    Args:
        segmentation: see :func:`normalized`.
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.

    Returns:
        (height, width) uint8, 1 inside.

    Raises:
        ValueError: it is a mask of another size.
    """
    value = json.loads(segmentation)
    if isinstance(value, dict):
        if value['size'] != [height, width]:
            raise ValueError(f'a mask of {value["size"]} (height, width) in a picture of {[height, width]}')
        return pixels_of(uncompressed(value['counts']), height, width).astype(np.uint8)
    return filled([polygon_of(numbers) for numbers in value], height, width)


def polygon_of(numbers: Sequence[float]) -> np.ndarray:
    """The corners of a polygon, (n, 2)."""
    return np.array(numbers, np.float64).reshape(-1, 2)


def polygon_bounds(segmentation: str) -> List[Tuple[float, float, float, float]]:
    """``xmin, ymin, xmax, ymax`` of each polygon, in pixels.

    Args:
        segmentation: see :func:`normalized`; no mask.
    """
    return [
        (min(polygon[::2]), min(polygon[1::2]), max(polygon[::2]), max(polygon[1::2]))
        for polygon in json.loads(segmentation)
    ]


def filled(polygons: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """The pixels inside of any of some polygons.

    Args:
        polygons: the corners of each, (n, 2), in pixels. What is farther from the picture than ten of its sides is
            drawn nearer, since outlines are held in memory.
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.

    Returns:
        (height, width) uint8, 1 inside.
    """
    farthest = _FARTHEST * max(height, width)
    inside = np.zeros((height, width), bool)
    for corners in polygons:
        inside |= polygon_mask(corners.clip(-farthest, farthest), height, width)
    return inside.astype(np.uint8)


def mask_text(pixels: np.ndarray) -> str:
    """The segmentation of an object whose pixels are known.

    Args:
        pixels: (height, width), true inside.
    """
    return _text({'size': list(pixels.shape), 'counts': compressed(counts_of(pixels))})


def as_mask(segmentation: str, height: int, width: int) -> str:
    """The segmentation as a mask, of polygons, too; empty for none."""
    return mask_text(bitmap(segmentation, height, width)) if segmentation.startswith('[') else segmentation


def mask_counts(segmentation: str) -> Tuple[Tuple[int, int], np.ndarray]:
    """Height and width of the picture of a mask, and its run lengths, (n,) int64.

    Args:
        segmentation: see :func:`normalized`; no polygons.
    """
    value = json.loads(segmentation)
    return tuple(value['size']), uncompressed(value['counts'])


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
    return mask_text(resized)

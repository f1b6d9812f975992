"""Regions of COCO's annotations as pixels: polygons and run lengths, as pycocotools computes them."""

from __future__ import annotations

from typing import Any, Sequence, Union

import numpy as np

from .run_lengths import pixels_of, uncompressed

_FARTHEST = 10  # the outline is held in memory; a corner that many sides of the picture away is a mistake
_FINE = 5  # pycocotools traces outlines on a grid of as many cells a pixel


def polygon_mask(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels inside of a polygon.

    The outline is traced on a grid that is five times finer; where it crosses the middle of a column of pixels, the
    column changes between outside and inside (pycocotools, ``rleFrPoly`` of maskApi.c).

    Args:
        points: (n, 2) x and y of the corners, in pixels.
        height: height of the mask.
        width: width of the mask.

    Returns:
        (height, width) bool.
    """
    corners = np.trunc(_FINE * np.asarray(points, np.float64) + 0.5).astype(np.int64)
    outline = np.concatenate([_line(*ends) for ends in zip(corners, np.roll(corners, -1, axis=0))])
    before, after = outline[:-1], outline[1:]
    crossed = before[:, 0] != after[:, 0]
    before, after = before[crossed], after[crossed]
    x = np.where(after[:, 0] < before[:, 0], after[:, 0], after[:, 0] - 1)
    columns = (x + 0.5) / _FINE - 0.5
    rows = np.ceil(np.clip((np.minimum(before[:, 1], after[:, 1]) + 0.5) / _FINE - 0.5, 0, height))
    kept = (columns == np.floor(columns)) & (columns >= 0) & (columns <= width - 1)
    changes = (columns[kept] * height + rows[kept]).astype(np.int64)
    inside = np.cumsum(np.bincount(changes, minlength=height * width + 1)[: height * width]) % 2 == 1
    return inside.reshape(width, height).T


def _line(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The cells of a line from one to another, both included: (n, 2)."""
    span = np.abs(end - begin)
    along = 0 if span[0] >= span[1] else 1
    flipped = begin[along] > end[along]
    low, high = (end, begin) if flipped else (begin, end)
    steps = np.arange(span[along] + 1)
    slope = (high[1 - along] - low[1 - along]) / max(span[along], 1)
    cells = np.empty((len(steps), 2), np.int64)
    cells[:, along] = low[along] + steps
    cells[:, 1 - along] = np.trunc(low[1 - along] + slope * steps + 0.5).astype(np.int64)
    return cells[::-1] if flipped else cells


def run_mask(counts: Union[str, Sequence[int]], height: int, width: int) -> np.ndarray:
    """The pixels of run lengths: of background and region in turn, down the columns.

    Args:
        counts: the lengths; or a text in COCO's compressed form.
        height: height of the mask.
        width: width of the mask.

    Returns:
        (height, width) bool.

    Raises:
        ValueError: they are no lengths whose sum is the number of pixels.
    """
    lengths = np.asarray(uncompressed(counts) if isinstance(counts, str) else counts)
    if lengths.ndim != 1 or lengths.dtype.kind not in 'iu' or len(lengths) and lengths.min() < 0:
        raise ValueError('run lengths must be whole numbers that are not negative')
    if lengths.sum() != height * width or lengths.max() > height * width:  # sums of large numbers overflow
        raise ValueError(f'run lengths of {lengths.sum()} pixels for {width} x {height}')
    return pixels_of(lengths, height, width)


def region_mask(region: Any, height: int, width: int) -> np.ndarray:
    """The pixels of the ``segmentation`` of an annotation: a list of polygons, or run lengths.

    Args:
        region: the value.
        height: height of the picture.
        width: width of the picture.

    Returns:
        (height, width) bool.

    Raises:
        ValueError: it is neither, or does not fit the picture.
    """
    if isinstance(region, dict):
        size = region.get('size')
        if size != [height, width]:
            raise ValueError(f'run lengths of a picture of {size} (height, width), not {[height, width]}')
        return run_mask(region['counts'], height, width)
    inside = np.zeros((height, width), bool)
    for points in region:
        corners = corners_of(points)
        if np.abs(corners).max() > _FARTHEST * max(height, width):
            farthest = np.abs(corners).max()
            raise ValueError(f'a corner of a polygon at {farthest:g} is far outside of a picture of {width} x {height}')
        if (corners.min(axis=0) >= (width, height)).any() or (corners.max(axis=0) <= 0).any():
            bounds = ', '.join(f'{value:.10g}' for value in (*corners.min(axis=0), *corners.max(axis=0)))
            raise ValueError(f'a polygon with the bounds {bounds} is outside of a picture of {width} x {height}')
        inside |= polygon_mask(corners, height, width)
    return inside


def corners_of(points: Sequence[float]) -> np.ndarray:
    """The corners of a polygon, (n, 2), from x and y in turn.

    Raises:
        ValueError: they are fewer than three, or not finite.
    """
    values = np.asarray(points, np.float64)
    if values.ndim != 1 or len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
        raise ValueError(f'a polygon has three corners or more, x and y of each, got {len(values)} numbers')
    return values.reshape(-1, 2)

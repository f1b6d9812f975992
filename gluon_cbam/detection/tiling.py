"""Objects in large pictures: the picture is cut into tiles that overlap, and boxes of several tiles are merged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Tuple, cast

import numpy as np

from gluon_cbam.common.errors import CbamError, UsageError
from gluon_cbam.data.boxes.segmentations import mask_text
from gluon_cbam.data.boxes.tiles import tile_starts
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.inference.prediction import predict
from gluon_cbam.tasks.detection.prediction import BoxPrediction, BoxPredictor, FoundBox
from gluon_cbam.tasks.prediction import ImageReference

if TYPE_CHECKING:
    from gluon_cbam.inference.session import Session

OVERLAP = 0.25
"""Share of a tile that its neighbors see, too: objects up to this size are whole in one of them."""
_SAME = 0.5  # IoU in what two tiles see
_ALL = 1 << 30  # boxes of a tile


@dataclass(frozen=True)
class _Picture:
    """A picture that is being predicted; its tiles are given later.

    Attributes:
        image: the picture.
        places: left and top of each tile.
        error: why it could not be read; empty if it could.
        pixels: its pixels where they are asked for.
    """

    image: ImageReference
    places: List[Tuple[int, int]]
    error: str = ''
    pixels: Optional[np.ndarray] = None


def predict_tiles(
    session: Session,
    sources: Iterable[ImageSource],
    predictor: BoxPredictor,
    size: int,
    batch_size: int = 32,
    workers: int = 1,
    see: Optional[Callable[[BoxPrediction, np.ndarray], None]] = None,
) -> Iterator[BoxPrediction]:
    """Find objects in pictures tile by tile, in the order of the pictures.

    Args:
        session: a network with weights that finds boxes.
        sources: the pictures.
        predictor: makes the predictions of whole pictures.
        size: side of a tile in pixels of the picture, a quarter of which its neighbors see, too. A smaller picture is
            one tile.
        batch_size: tiles per device and batch.
        workers: threads that prepare tiles.
        see: see :func:`gluon_cbam.inference.prediction.predict`.

    Yields:
        The predictions.

    Raises:
        UsageError: tiles are smaller than 8 pixels.
        DataError: an output is not finite.
    """
    if size < 8:
        raise UsageError(f'--tiles must be at least 8 pixels, got {size}')
    waiting: Deque[_Picture] = deque()
    found: List[BoxPrediction] = []
    of_tiles = replace(predictor, top=_ALL)
    tiles = _tiles(sources, waiting, size, see is not None)
    predictions = predict(session, tiles, batch_size=batch_size, workers=workers, predictor=of_tiles)
    for prediction in cast('Iterator[BoxPrediction]', predictions):
        while waiting[0].error:
            yield _failed(waiting.popleft(), predictor)
        found.append(prediction)
        if len(found) == len(waiting[0].places):
            picture, whole = waiting[0], _merged(waiting.popleft(), found, predictor.top)
            if see is not None and picture.pixels is not None:
                see(whole, picture.pixels)
            yield whole
            found = []
    while waiting:
        yield _failed(waiting.popleft(), predictor)


def _failed(picture: _Picture, predictor: BoxPredictor) -> BoxPrediction:
    return predictor.unreadable(picture.image, picture.error)


def _tiles(sources: Iterable[ImageSource], waiting: Deque[_Picture], size: int, keep: bool) -> Iterator[ImageSource]:
    """The tiles of all pictures; pictures are added to ``waiting`` before their tiles are given."""
    overlap = int(size * OVERLAP)
    for source in sources:
        image = ImageReference(source.file, source.number)
        try:
            pixels = source.decode()
        except (CbamError, OSError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            prefix = f'{source.file}: '
            waiting.append(_Picture(image, [], reason[len(prefix) :] if reason.startswith(prefix) else reason))
            continue
        height, width = pixels.shape[:2]
        places = [(x, y) for y in tile_starts(height, size, overlap) for x in tile_starts(width, size, overlap)]
        image = image._replace(size=(height, width))
        waiting.append(_Picture(image, places, pixels=pixels if keep else None))
        for left, top in places:
            tile = pixels[top : top + size, left : left + size]
            yield ImageSource(source.file, source.number, partial(np.ascontiguousarray, tile))


def _merged(picture: _Picture, tiles: List[BoxPrediction], top: int) -> BoxPrediction:
    """The prediction of a picture from those of its tiles."""
    boxes = [box for tile in tiles for box in tile.boxes]
    owners = np.repeat(np.arange(len(tiles)), [len(tile.boxes) for tile in tiles])
    low = np.array(picture.places, np.float64)
    sizes = np.array([tile.image.size for tile in tiles], np.float64)[:, ::-1]
    frames = np.concatenate([low, low + sizes], axis=1)
    corners = np.array([box.corners for box in boxes], np.float64).reshape(-1, 4) + np.tile(low, 2)[owners]
    classes = np.array([box.number for box in boxes], np.int64)
    merged: List[Tuple[FoundBox, List[int]]] = []
    for rows in same_objects(corners, classes, owners, frames):
        best = max(rows, key=lambda row: boxes[row].score)
        left, top_edge = corners[rows, :2].min(axis=0).tolist()
        right, bottom = corners[rows, 2:].max(axis=0).tolist()
        merged.append((boxes[best]._replace(corners=(left, top_edge, right, bottom)), rows))
    merged.sort(key=lambda each: -each[0].score)
    whole = [
        box._replace(segmentation=_joined(picture, [(boxes[row], picture.places[owners[row]]) for row in rows]))
        for box, rows in merged[:top]
    ]
    return BoxPrediction(picture.image, whole)


def _joined(picture: _Picture, parts: List[Tuple[FoundBox, Tuple[int, int]]]) -> str:
    """The mask of an object in the picture from those in its tiles at their places; empty for boxes alone."""
    if not parts[0][0].segmentation or picture.image.size is None:
        return ''
    whole = np.zeros(picture.image.size, np.uint8)
    for box, (left, top) in parts:
        mask = box.mask()
        place = whole[top : top + mask.shape[0], left : left + mask.shape[1]]
        np.maximum(place, mask, out=place)
    return mask_text(whole)


def same_objects(corners: np.ndarray, classes: np.ndarray, tiles: np.ndarray, frames: np.ndarray) -> List[List[int]]:
    """Group the boxes that several tiles have of one object.

    Two boxes of one class and of two tiles are of one object if they agree in what both tiles see: clipped to it, each
    is the one with the largest IoU for the other, and the IoU is above a half. So the parts of an object that is larger
    than what tiles share are found, too, and boxes of one tile stay apart.

    Args:
        corners: (n, 4) in pixels of the picture.
        classes: (n,).
        tiles: (n,) the tile of each, ascending.
        frames: (tiles, 4) the edges of the tiles.

    Returns:
        The rows of each object, in the order of their first.
    """
    group = list(range(len(corners)))

    def first(row: int) -> int:
        while group[row] != row:
            group[row] = group[group[row]]
            row = group[row]
        return row

    bounds = np.searchsorted(tiles, np.arange(len(frames) + 1))
    low, high = np.maximum(frames[:, None, :2], frames[:, :2]), np.minimum(frames[:, None, 2:], frames[:, 2:])
    for one, other in np.argwhere(np.triu((high > low).all(axis=2), 1)).tolist():
        mine, its = (np.arange(*bounds[tile : tile + 2]) for tile in (one, other))
        if not len(mine) or not len(its):
            continue
        edges = (*low[one, other], *low[one, other]), (*high[one, other], *high[one, other])
        shares = _overlaps(corners[mine].clip(*edges), corners[its].clip(*edges))
        shares[classes[mine][:, None] != classes[its]] = 0
        best, back = shares.argmax(axis=1), shares.argmax(axis=0)
        for row, column in enumerate(best.tolist()):
            if back[column] == row and shares[row, column] > _SAME:
                ends = sorted((first(int(mine[row])), first(int(its[column]))))
                group[ends[1]] = ends[0]
    objects: Dict[int, List[int]] = {}
    for row in range(len(group)):
        objects.setdefault(first(row), []).append(row)
    return list(objects.values())


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The IoU of all pairs of boxes: (n, m); 0 for boxes without area."""
    low, high = np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - common
    return np.divide(common, union, out=np.zeros_like(common), where=common > 0)

"""How well heat maps agree with the masks of objects.

* Pointing game (Zhang et al., ECCV 2016, arXiv 1608.00507): whether the map's largest value lies on the object, here
  without the tolerance of 15 pixels around it (:func:`pointing`).

For the others a map is spread over the mask's pixels and stretched to 0..1 (:func:`stretched`):

* energy inside (Wang et al., CVPR workshops 2020, arXiv 1910.01279): the share of the map's sum on the object
  (:func:`energy`); a map that ignores the object has the object's share of the area;
* IoU: of the object with the pixels whose value is at least a threshold (:func:`overlaps`). The threshold is the one of
  :data:`THRESHOLDS` with the best mean over all images (as in Choe et al., CVPR 2020, arXiv 2001.07437), found on the
  images that are scored; an oracle that chooses it for each image is given beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Optional

import numpy as np

from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.explain.maps.grid import Grid, at_cells, spread

THRESHOLDS = np.linspace(0, 1, 101)
"""Of the stretched maps, for the IoU."""
_FLAT = 1e-6  # a map that varies by less, relative to its largest value, varies by rounding alone


def _flat(maps: np.ndarray) -> np.ndarray:
    """(N, 1, 1) bool: whether a map has one value everywhere."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return high - low <= _FLAT * np.maximum(np.abs(low), np.abs(high))


def stretched(maps: np.ndarray) -> np.ndarray:
    """Every map (N, H, W) shifted and scaled to 0..1; one of one value, which says nothing, becomes ones."""
    flat = _flat(maps)
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return np.where(flat, 1.0, (maps - low) / np.where(flat, 1.0, high - low))


def pointing(maps: np.ndarray, masks: np.ndarray, grid: Optional[Grid] = None) -> np.ndarray:
    """(N,): whether the largest value of a map lies on the object, in 0..1.

    The largest value of a bilinear interpolation is that of the largest cell, at its place. Pixels near the image's
    border have it undiminished and others do not, so that the largest pixel of a map that was spread is there too
    often. Where the place lies between pixels, and where cells are equally large, the share of them that is on the
    object counts; a map of one value scores the object's share of the area.

    Args:
        maps: (N, h, w), as coarse as they are.
        masks: (N, H, W) bool.
        grid: of the maps; default even.
    """
    largest = maps == maps.max(axis=(1, 2), keepdims=True)
    on_object = at_cells(masks, maps.shape[1:], grid)
    share = (largest * on_object).sum(axis=(1, 2)) / largest.sum(axis=(1, 2))
    return np.where(_flat(maps)[:, 0, 0], masks.mean(axis=(1, 2)), share)


def energy(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(N,): the share of a map's sum that lies on the object; the maps are not negative and not all zero."""
    return (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))


def overlaps(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(N, thresholds): intersection over union of the object and of what is at least each of :data:`THRESHOLDS`.

    Args:
        maps: (N, H, W) in 0..1.
        masks: (N, H, W) bool.
    """
    count, bins = len(maps), len(THRESHOLDS)
    level = np.searchsorted(THRESHOLDS, maps, side='right') - 1 + bins * np.arange(count)[:, None, None]

    def above(values) -> np.ndarray:  # pixels at or above each threshold
        return np.bincount(values, minlength=count * bins).reshape(count, bins)[:, ::-1].cumsum(axis=1)[:, ::-1]

    inside, region = above(level[masks]), above(level.ravel())
    return inside / (region + masks.sum(axis=(1, 2))[:, None] - inside)


@dataclass(frozen=True)
class Scores:
    """What maps score on a data set: means over the images.

    Attributes:
        records: images.
        pointing: share of hits.
        energy: share of the map's sum on the object.
        lift: ``energy`` over the objects' mean share of the area: 1 for maps that ignore them.
        iou: at ``threshold``.
        threshold: the best for all images together, of maps stretched to 0..1.
        oracle_iou: at the best threshold of each image.
    """

    records: int
    pointing: float
    energy: float
    lift: float
    iou: float
    threshold: float
    oracle_iou: float

    def as_dict(self) -> dict:
        """The attributes by name."""
        return asdict(self)


class Agreement:
    """Scores maps batch by batch, in memory that does not grow.

    Example:
        >>> agreement = Agreement()
        >>> agreement.add(maps, masks)
        >>> agreement.scores().pointing
        0.75
    """

    def __init__(self):
        self._records = 0
        self._sums = np.zeros(4)  # pointing, energy, area, oracle IoU
        self._overlaps = np.zeros(len(THRESHOLDS))

    def add(self, maps: np.ndarray, masks: np.ndarray, grid: Optional[Grid] = None) -> None:
        """Count a batch.

        Args:
            maps: (N, h, w), of any range and as coarse as they are.
            masks: (N, H, W) bool, with a pixel each at least.
            grid: where the cells of the maps lie on the masks; default even.

        Raises:
            UsageError: the shapes do not fit, or a mask is empty.
            RunError: a map is not finite.
        """
        if maps.ndim != 3 or masks.ndim != 3 or len(maps) != len(masks) or masks.dtype != bool:
            raise UsageError(
                f'maps must be (N, h, w) and masks (N, H, W) bool, got {maps.shape} and {masks.shape} {masks.dtype}'
            )
        if not np.isfinite(maps).all():
            raise RunError('a map is not finite: the weights or the preprocessing are wrong')
        if not masks.any(axis=(1, 2)).all():
            raise UsageError('a mask is empty: an object lies outside of what the network sees')
        whole = stretched(spread(maps.astype(np.float64), masks.shape[1:], grid))
        found = overlaps(whole, masks)
        self._records += len(maps)
        for number, values in enumerate(
            (pointing(maps, masks, grid), energy(whole, masks), masks.mean(axis=(1, 2)), found.max(axis=1))
        ):
            self._sums[number] += values.sum()
        self._overlaps += found.sum(axis=0)

    def scores(self) -> Scores:
        """Of all that was added.

        Raises:
            UsageError: nothing was.
        """
        if not self._records:
            raise UsageError('no maps to score')
        hit, inside, area, oracle = (self._sums / self._records).tolist()
        best = int(self._overlaps.argmax())
        return Scores(
            records=self._records,
            pointing=hit,
            energy=inside,
            lift=inside / area,
            iou=float(self._overlaps[best]) / self._records,
            threshold=float(THRESHOLDS[best]),
            oracle_iou=oracle,
        )

"""Localization metrics: how well heat maps agree with the masks of objects.

* Pointing game (Zhang et al., ECCV 2016, arXiv 1608.00507): whether the maximum of the map is on the object, here
  without the tolerance of 15 pixels around it (:func:`pointing_game`).

For the others a map is upsampled to the mask's pixels and normalized to 0..1 (:func:`normalize_maps`):

* energy-based pointing game (Wang et al., CVPR workshops 2020, arXiv 1910.01279): the share of the map's sum that is
  on the object (:func:`energy_inside`); a map that ignores the object scores the object's share of the area;
* IoU of the object with the pixels whose value is at least a threshold (:func:`iou_at_thresholds`). The threshold is
  the one of :data:`THRESHOLDS` with the best mean over all images (as in Choe et al., CVPR 2020, arXiv 2001.07437),
  found on the images that are scored; the mean at the best threshold of each image is reported as the oracle.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, Optional

import numpy as np

from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.explain.maps.grid import Grid, sample_at_cells, upsample_map

THRESHOLDS = np.linspace(0, 1, 101)
"""Thresholds of the normalized maps, for the IoU."""
_FLAT = 1e-6  # a map whose range is smaller, relative to its largest value, varies by rounding alone


def _is_flat(maps: np.ndarray) -> np.ndarray:
    """(N, 1, 1) bool: whether a map has one value everywhere."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return high - low <= _FLAT * np.maximum(np.abs(low), np.abs(high))


def normalize_maps(maps: np.ndarray) -> np.ndarray:
    """Min-max normalization: every map (N, H, W) shifted and scaled to 0..1; a map of one value becomes ones."""
    flat = _is_flat(maps)
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return np.where(flat, 1.0, (maps - low) / np.where(flat, 1.0, high - low))


def pointing_game(maps: np.ndarray, masks: np.ndarray, grid: Optional[Grid] = None) -> np.ndarray:
    """Whether the maximum of a map is on the object.

    The maximum of a bilinear interpolation is at the center of the largest cell. The mask is sampled there, since in an
    upsampled map only the pixels near the border keep the value of their cell, so that the largest pixel would be at
    the border too often. Where the center is between pixels, or several cells are equally large, the score is the share
    of these pixels or cells that is on the object; a map of one value scores the object's share of the area.

    Args:
        maps: (N, h, w) at the resolution of the network.
        masks: (N, H, W) bool.
        grid: positions of the cells; default :func:`gluon_cbam.explain.maps.grid.even_grid`.

    Returns:
        (N,) float in 0..1.
    """
    largest = maps == maps.max(axis=(1, 2), keepdims=True)
    on_object = sample_at_cells(masks, maps.shape[1:], grid)
    share = (largest * on_object).sum(axis=(1, 2)) / largest.sum(axis=(1, 2))
    return np.where(_is_flat(maps)[:, 0, 0], masks.mean(axis=(1, 2)), share)


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The share of a map's sum that is on the object.

    Args:
        maps: (N, H, W), not negative and not all zero.
        masks: (N, H, W) bool.

    Returns:
        (N,) float in 0..1.
    """
    return (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))


def iou_at_thresholds(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Intersection over union of the object and of the pixels that are at least each of :data:`THRESHOLDS`.

    Args:
        maps: (N, H, W) in 0..1.
        masks: (N, H, W) bool.

    Returns:
        (N, thresholds) float in 0..1.
    """
    count, bins = len(maps), len(THRESHOLDS)
    level = np.searchsorted(THRESHOLDS, maps, side='right') - 1 + bins * np.arange(count)[:, None, None]

    def at_least(values: np.ndarray) -> np.ndarray:  # (N, thresholds): number of pixels at or above each threshold
        return np.bincount(values, minlength=count * bins).reshape(count, bins)[:, ::-1].cumsum(axis=1)[:, ::-1]

    inside, region = at_least(level[masks]), at_least(level.ravel())
    return inside / (region + masks.sum(axis=(1, 2))[:, None] - inside)


@dataclass(frozen=True)
class LocalizationScores:
    """Localization metrics of a dataset: means over the images, all in 0..1 except ``lift``.

    Attributes:
        records: number of images.
        pointing: pointing game: share of hits.
        energy: share of the map's sum on the object.
        lift: ``energy`` divided by the mean share of the area that objects have: 1 for maps that ignore them.
        iou: the mean IoU at ``threshold``.
        threshold: the threshold of the normalized maps, the best for all images together.
        oracle_iou: the mean IoU at the best threshold of each image.
    """

    records: int
    pointing: float
    energy: float
    lift: float
    iou: float
    threshold: float
    oracle_iou: float

    def as_dict(self) -> Dict[str, float]:
        """The attributes by name."""
        return asdict(self)


class LocalizationMetrics:
    """Accumulates the localization metrics of maps batch by batch, in constant memory.

    Example:
        >>> metrics = LocalizationMetrics()
        >>> metrics.add(maps, masks)
        >>> metrics.scores().pointing
        0.75
    """

    def __init__(self) -> None:
        self._records = 0
        self._sums = np.zeros(4)  # pointing game, energy, area, oracle IoU
        self._ious = np.zeros(len(THRESHOLDS))

    def add(self, maps: np.ndarray, masks: np.ndarray, grid: Optional[Grid] = None) -> None:
        """Add a batch.

        Args:
            maps: (N, h, w) floats of any range, at the resolution of the network.
            masks: (N, H, W) bool, each with at least one pixel.
            grid: positions of the maps' cells on the masks; default
                :func:`gluon_cbam.explain.maps.grid.even_grid`.

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
            raise UsageError("a mask is empty: an object is outside of the network's input")
        upsampled = normalize_maps(upsample_map(maps.astype(np.float64), masks.shape[1:], grid))
        ious = iou_at_thresholds(upsampled, masks)
        self._records += len(maps)
        for number, values in enumerate(
            (
                pointing_game(maps, masks, grid),
                energy_inside(upsampled, masks),
                masks.mean(axis=(1, 2)),
                ious.max(axis=1),
            )
        ):
            self._sums[number] += values.sum()
        self._ious += ious.sum(axis=0)

    def scores(self) -> LocalizationScores:
        """The metrics of everything that was added.

        Raises:
            UsageError: nothing was added.
        """
        if not self._records:
            raise UsageError('no maps to score')
        pointing, energy, area, oracle = (self._sums / self._records).tolist()
        best = int(self._ious.argmax())
        return LocalizationScores(
            records=self._records,
            pointing=pointing,
            energy=energy,
            lift=energy / area,
            iou=float(self._ious[best]) / self._records,
            threshold=float(THRESHOLDS[best]),
            oracle_iou=oracle,
        )


__getattr__ = renamed_attributes(
    __name__,
    {
        'Agreement': 'explain.localization.metrics.LocalizationMetrics',
        'Scores': 'explain.localization.metrics.LocalizationScores',
    },
)

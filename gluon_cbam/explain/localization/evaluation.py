"""Localization metrics of a network's maps over a record file with masks of the objects."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.data.datasets.masks import MaskFile
from gluon_cbam.data.loading.evaluation import evaluation_batches
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.explain.maps.attention import attention_maps
from gluon_cbam.explain.maps.grad_cam import METHODS, grad_cam
from gluon_cbam.explain.maps.grid import Grid
from gluon_cbam.inference.network import LoadedNetwork

from .baselines import BASELINES
from .metrics import LocalizationMetrics, LocalizationScores

ALIGNMENTS: Dict[str, Callable[[Optional[Grid]], Optional[Grid]]] = {
    'even': lambda grid: None,
    'fields': lambda grid: grid,
}
"""Name -> function of a map's grid that returns the one to use.

``even``: cells that divide the image evenly, as Grad-CAM is usually drawn. ``fields``: the centers of the receptive
fields, where they are known. These differ by up to half a cell.
"""


class _PlacedMaps(NamedTuple):
    """Maps (N, h, w) of a batch, and the positions of their cells."""

    maps: np.ndarray
    grid: Optional[Grid]


class LocalizationResult(NamedTuple):
    """The localization metrics of a network's maps.

    Attributes:
        top1: accuracy of the network, in 0..1.
        maps: scores by name: ``spatial PATH`` for the spatial gate of an attention module, ``gradcam LAYER`` and
            ``gradcam++ LAYER``.
        baselines: scores by name of :data:`~gluon_cbam.explain.localization.baselines.BASELINES`.
    """

    top1: float
    maps: Dict[str, LocalizationScores]
    baselines: Dict[str, LocalizationScores]


def score_maps(
    loaded: LoadedNetwork,
    records: RecordFile,
    masks: MaskFile,
    layers: Sequence[Optional[str]] = (None,),
    align: str = 'even',
    batch_size: int = 32,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
) -> LocalizationResult:
    """Score the maps of a network on every record of a file.

    Grad-CAM explains the class of the label, whatever the network predicts.

    Args:
        loaded: the network.
        records: the checked file.
        masks: the masks of its records.
        layers: the layers whose Grad-CAM is scored, see :func:`gluon_cbam.explain.grad_cam`; None is its default.
        align: positions of the cells of a map, a key of :data:`ALIGNMENTS`; default ``even``.
        batch_size: images in a batch; default 32.
        workers: threads that decode; default 1.
        progress: wraps the batches, called with (batches, number of batches), for a progress bar.

    Returns:
        The scores of the network, its maps and the baselines.

    Raises:
        DataError: an image cannot be decoded, or the masks are of other images.
        UsageError: an unknown layer or alignment, or an object outside of the network's input.
        RunError: a map is not finite.
    """
    if align not in ALIGNMENTS:
        raise UsageError(f'unknown alignment {align!r}: {closest(align, ALIGNMENTS)}')
    size = decode_record(records, 0).shape[:2]
    if size != tuple(masks.size):
        raise DataError(f'{masks.path} has masks of {masks.size} pixels, but {records.path} images of {size}')
    maps: Dict[str, LocalizationMetrics] = {}
    baselines = {name: LocalizationMetrics() for name in BASELINES}
    random = np.random.RandomState(0)
    count = hits = 0
    batches = evaluation_batches(records, batch_size, loaded.preprocessing, workers)
    for batch in progress(batches, -(-len(records) // batch_size)):
        objects = np.stack([_visible_mask(masks, count + row, loaded.preprocessing) for row in range(batch.count)])
        logits, found = _maps(loaded.net, batch.images[: batch.count], batch.labels, layers)
        for name, values in found.items():
            maps.setdefault(name, LocalizationMetrics()).add(values.maps, objects, ALIGNMENTS[align](values.grid))
        hits += int((logits.argmax(axis=1) == batch.labels).sum())
        for name, make in BASELINES.items():
            baselines[name].add(make(batch.count, objects.shape[1:], random), objects)
        count += batch.count
    return LocalizationResult(hits / count, _scores(maps), _scores(baselines))


def _scores(metrics: Dict[str, LocalizationMetrics]) -> Dict[str, LocalizationScores]:
    return {name: each.scores() for name, each in metrics.items()}


def _visible_mask(masks: MaskFile, number: int, preprocessing: Preprocessing) -> np.ndarray:
    """The part of a record's mask in the network's input, resized and cropped as the image is."""
    mask = preprocessing.crop_map(masks[number].astype(np.uint8) * 255) >= 128
    if not mask.any():
        raise UsageError(f'the network sees nothing of the object of record {number}: --crop-ratio 1 crops nothing off')
    return mask


def _maps(
    net: mx.gluon.HybridBlock, images: np.ndarray, labels: np.ndarray, layers: Sequence[Optional[str]]
) -> Tuple[np.ndarray, Dict[str, _PlacedMaps]]:
    """The logits (N, classes) of a batch, and all its maps by name."""
    gates = {
        f'spatial {maps.path}': _PlacedMaps(maps.spatial, maps.grid)
        for maps in attention_maps(net, images)
        if maps.spatial is not None
    }
    cams = [(method, grad_cam(net, images, labels, layer, method)) for method in METHODS for layer in layers]
    placed = {f'{method} {cam.layer}': _PlacedMaps(cam.maps, cam.grid) for method, cam in cams}
    return cams[0][1].logits, {**gates, **placed}

"""Whether a network looks at the object: its maps over a record file, scored with the objects' masks."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, NamedTuple, Optional, Sequence, Tuple

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

from .baselines import CHANCE
from .metrics import Agreement, Scores

ALIGNMENTS: Dict[str, Callable[[Optional[Grid]], Optional[Grid]]] = {
    'even': lambda grid: None,
    'fields': lambda grid: grid,
}
"""Name -> which grid of a map is taken: cells that divide the image evenly, as Grad-CAM is usually laid over an image;
or the centres of the cells' receptive fields, where they are known. These differ by up to half a cell."""


class _Placed(NamedTuple):
    """Maps (N, h, w) of a batch and where their cells lie."""

    maps: np.ndarray
    grid: Optional[Grid]


class Localisation(NamedTuple):
    """What the maps of a network score.

    Attributes:
        top1: accuracy of the network, in 0..1.
        maps: by name: ``spatial PATH`` for the spatial gate of an attention, ``gradcam LAYER``, ``gradcam++ LAYER``.
        chance: likewise of :data:`~gluon_cbam.explain.localization.baselines.CHANCE`.
    """

    top1: float
    maps: Dict[str, Scores]
    chance: Dict[str, Scores]


def score_maps(
    loaded: LoadedNetwork,
    records: RecordFile,
    masks: MaskFile,
    layers: Sequence[Optional[str]] = (None,),
    align: str = 'even',
    batch_size: int = 32,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
) -> Localisation:
    """Score the maps of a network on every record of a file.

    Grad-CAM is asked for the class of the label, whatever the network predicts.

    Args:
        loaded: the network.
        records: the checked file.
        masks: of its records.
        layers: whose Grad-CAM is scored, as of :func:`~gluon_cbam.explain.grad_cam`; None is its default.
        align: where the cells of a map lie: a key of :data:`ALIGNMENTS`.
        batch_size: images at a time.
        workers: threads that decode.
        progress: wraps the batches, (batches, how many), to show how far it is.

    Raises:
        DataError: an image cannot be decoded, or the masks are of other images.
        UsageError: an unknown layer or alignment, or an object outside of what the network sees.
        RunError: a map is not finite.
    """
    if align not in ALIGNMENTS:
        raise UsageError(f'unknown alignment {align!r}: {closest(align, ALIGNMENTS)}')
    size = decode_record(records, 0).shape[:2]
    if size != tuple(masks.size):
        raise DataError(f'{masks.path} has masks of {masks.size} pixels, but {records.path} images of {size}')
    maps: Dict[str, Agreement] = {}
    chance = {name: Agreement() for name in CHANCE}
    random = np.random.RandomState(0)
    count = hits = 0
    batches = evaluation_batches(records, batch_size, loaded.preprocessing, workers)
    for batch in progress(batches, -(-len(records) // batch_size)):
        objects = np.stack([_seen(masks, count + row, loaded.preprocessing) for row in range(batch.count)])
        logits, found = _maps(loaded.net, batch.images[: batch.count], batch.labels, layers)
        for name, values in found.items():
            maps.setdefault(name, Agreement()).add(values.maps, objects, ALIGNMENTS[align](values.grid))
        hits += int((logits.argmax(axis=1) == batch.labels).sum())
        for name, make in CHANCE.items():
            chance[name].add(make(batch.count, objects.shape[1:], random), objects)
        count += batch.count
    return Localisation(
        hits / count, *({name: agreement.scores() for name, agreement in some.items()} for some in (maps, chance))
    )


def _seen(masks: MaskFile, number: int, preprocessing: Preprocessing) -> np.ndarray:
    """The part of a record's mask that the network sees, resized and cropped as its image is."""
    mask = preprocessing.crop(masks[number].astype(np.uint8) * 255) >= 128
    if not mask.any():
        raise UsageError(f'the network sees nothing of the object of record {number}: --crop-ratio 1 leaves none out')
    return mask


def _maps(net, images, labels, layers) -> Tuple[np.ndarray, Dict[str, _Placed]]:
    """The logits (N, classes) of a batch, and all its maps by name."""
    gates = {
        f'spatial {maps.path}': _Placed(maps.spatial, maps.grid)
        for maps in attention_maps(net, images)
        if maps.spatial is not None
    }
    cams = [(method, grad_cam(net, images, labels, layer, method)) for method in METHODS for layer in layers]
    return cams[0][1].logits, {
        **gates,
        **{f'{method} {cam.layer}': _Placed(cam.maps, cam.grid) for method, cam in cams},
    }

"""Maps of single detections: which parts of the image speak for a box.

A layer's channels are multiplied by the gradient of the score at each position and summed over the channels; the
positive part is kept. This is the element-wise form of Grad-CAM, as in ODAM (Zhao and Chan, "ODAM: Gradient-based
Instance-Specific Visual Explanations for Object Detection", ICLR 2023), which smooths the gradient besides. Grad-CAM's
mean over the positions would show all objects of the class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, NamedTuple, Optional, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.models.detection.detector import Detector

from .box_scores import KINDS, Source
from .class_maps import scaled_to_peak
from .grad_cam import checked_layer, differentiated
from .graph import Images, NetworkGraph, Shape, prepare_images, trace_network
from .grid import Grid


class BoxMap(NamedTuple):
    """The map of a detection.

    Attributes:
        heat: (H, W) float32 in 0..1, see :class:`.class_maps.ClassMaps`.
        label: index of its class.
        score: its score.
        corners: (4,) float64: xmin, ymin, xmax, ymax in pixels of the input.
        layer: path of the block whose output was weighted.
        grid: positions of the map's cells on the image.
    """

    heat: np.ndarray
    label: int
    score: float
    corners: np.ndarray
    layer: str
    grid: Optional[Grid]


def box_maps(
    net: mx.gluon.HybridBlock,
    image: Images,
    most: int = 3,
    label: Optional[int] = None,
    layer: Optional[str] = None,
    within: Optional[Sequence[float]] = None,
) -> List[BoxMap]:
    """Compute the maps of the surest detections of an image.

    Args:
        net: a detector of this package of a kind in :data:`.box_scores.KINDS`.
        image: (1, C, H, W), preprocessed.
        most: the largest number of detections.
        label: index of a class, whose detections alone are explained; default all.
        layer: path of a block; default of SSD the last one with the finest map that a head reads, of YOLOv3 that of
            the backbone with the stride of the head that found the box, of CenterNet and Faster R-CNN the last one of
            the backbone (before the pooling of RoIs).
        within: left, top, right and bottom of the picture in the input; detections of which nothing is in it are left
            out. Default the whole input.

    Returns:
        The maps, the surest detection first; empty without detections.

    Raises:
        UsageError: the network is no such detector, there is not one image, an unknown layer, or one that the score of
            a detection does not depend on.

    Example:
        >>> for box in gluon_cbam.explain.box_maps(net, image):
        ...     print(box.label, box.score, box.corners, box.heat.shape)
    """
    if not getattr(net, 'detects', False):
        raise UsageError(f'{type(net).__name__} finds no boxes')
    kind = next((kind for detector, kind in KINDS.items() if isinstance(net, detector)), None)
    if kind is None:
        raise UsageError(f'the boxes of {type(net).__name__} are not explained: no row in box_scores.KINDS')
    images = prepare_images(net, image)
    if len(images) != 1:
        raise UsageError(f'the boxes of one image are explained at a time, got {len(images)} images')
    with mx.autograd.pause(train_mode=False):
        output = net(images)
        found = output[0] if isinstance(output, (list, tuple)) else output  # before the masks
        rows = found[0].asnumpy().astype(np.float64)
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] == label if label is not None else True)]
    left, top, right, bottom = within or (0, 0, *images.shape[:1:-1])
    seen = np.minimum(rows[:, 4:], [right, bottom]) > np.maximum(rows[:, 2:4], [left, top])
    rows = rows[seen.all(axis=1)][:most]
    graph = trace_network(net)
    # in Faster R-CNN, other outputs of four axes are features of RoIs
    shapes = {path: shape for path, shape in graph.map_shapes(images.shape).items() if shape[0] == len(images)}
    if layer is not None:
        checked_layer(layer, graph, shapes)
    scores = kind(net, graph, shapes, images)
    sources = [scores.source_of(row) for row in rows]
    return [_map_of(net, graph, shapes, images, row, each, layer or each.layer) for row, each in zip(rows, sources)]


def _map_of(
    net: Detector,
    graph: NetworkGraph,
    shapes: Dict[str, Shape],
    images: mx.nd.NDArray,
    row: np.ndarray,
    source: Source,
    layer: str,
) -> BoxMap:
    flat = graph.outputs[source.path].reshape((1, -1))

    def of_score(outputs: np.ndarray) -> np.ndarray:
        gradient = np.zeros(outputs.shape, np.float64)
        gradient[0, source.places] = source.gradient(outputs[0, source.places].astype(np.float64))
        return gradient  # of the logarithm of the score, whose scale does not matter

    values, gradients, _ = differentiated(net, replace(graph, output=flat), layer, images, of_score)
    heat = scaled_to_peak((values * gradients).sum(axis=1))[0]
    grid = graph.grids({layer: shapes[layer]}, images.shape[2:])[layer]
    return BoxMap(heat, int(row[0]), float(row[1]), row[2:], layer, grid)

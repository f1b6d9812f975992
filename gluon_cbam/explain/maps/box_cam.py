"""Maps of single detections: which parts of the image speak for a box.

A layer's channels are multiplied by the gradient of the score at each position and summed over the channels; the
positive part is kept. This is the element-wise form of Grad-CAM, as in ODAM (Zhao and Chan, "ODAM: Gradient-based
Instance-Specific Visual Explanations for Object Detection", ICLR 2023), which smooths the gradient besides. Grad-CAM's
mean over the positions would show all objects of the class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.models.detection.anchor_detector import AnchorDetector
from gluon_cbam.models.detection.box_coding import decode

from .class_maps import scaled_to_peak
from .grad_cam import checked_layer, differentiated
from .graph import (
    DATA,
    Images,
    NetworkGraph,
    Shape,
    evaluate_symbols,
    prepare_images,
    replace_by_variable,
    trace_network,
)
from .grid import Grid

_HEADS = 'heads.'


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


class _Head(NamedTuple):
    """What a head says of an image.

    Attributes:
        path: path of its block of classes.
        probabilities: (cells, anchors of a cell, 1 + classes).
        corners: (cells, anchors of a cell, 4), the boxes in pixels of the input.
    """

    path: str
    probabilities: np.ndarray
    corners: np.ndarray


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
        net: a detector of this package with heads on several maps, see :class:`gluon_cbam.models.detection.ssd.SSD`.
        image: (1, C, H, W), preprocessed.
        most: the largest number of detections.
        label: index of a class, whose detections alone are explained; default all.
        layer: path of a block; default the last one before the heads that has the finest map that a head reads.
        within: left, top, right and bottom of the picture in the input; detections of which nothing is in it are left
            out. Default the whole input.

    Returns:
        The maps, the surest detection first; empty without detections.

    Raises:
        UsageError: the network is no such detector, there is not one image, or an unknown layer.

    Example:
        >>> for box in gluon_cbam.explain.box_maps(net, image):
        ...     print(box.label, box.score, box.corners, box.heat.shape)
    """
    if not getattr(net, 'detects', False):
        raise UsageError(f'{type(net).__name__} finds no boxes')
    if not isinstance(net, AnchorDetector):
        raise UsageError(f'the boxes of {type(net).__name__} are not explained yet: take an SSD')
    images = prepare_images(net, image)
    if len(images) != 1:
        raise UsageError(f'the boxes of one image are explained at a time, got {len(images)} images')
    with mx.autograd.pause(train_mode=False):
        rows = net(images)[0].asnumpy().astype(np.float64)
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] == label if label is not None else True)]
    left, top, right, bottom = within or (0, 0, *images.shape[:1:-1])
    seen = np.minimum(rows[:, 4:], [right, bottom]) > np.maximum(rows[:, 2:4], [left, top])
    rows = rows[seen.all(axis=1)][:most]
    graph = trace_network(net)
    heads = _heads(net, graph, images)
    shapes = graph.map_shapes(images.shape)
    layer = _default_layer(heads[0], graph, shapes) if layer is None else checked_layer(layer, graph, shapes)
    return [_map_of(net, graph, heads, shapes, images, row, layer) for row in rows]


def _heads(net: mx.gluon.HybridBlock, graph: NetworkGraph, images: mx.nd.NDArray) -> List[_Head]:
    """What all heads say, in the order of the anchors."""
    classes, boxes = '.class_predictor', '.box_predictor'
    paths = [path[: -len(classes)] for path in graph.outputs if path.startswith(_HEADS) and path.endswith(classes)]
    symbols = [graph.outputs[path + kind] for path in paths for kind in (classes, boxes)]
    with mx.autograd.pause(train_mode=False):
        values = iter(evaluate_symbols(symbols, graph.parameters, {DATA: images}))
    heads, anchors = [], net.anchors(*images.shape[2:], images.context)
    first = 0
    for path, (logits, offsets) in zip(paths, zip(values, values)):
        cells = logits.shape[2] * logits.shape[3]
        rows = [each.transpose((0, 2, 3, 1)).reshape((cells, -1, size)) for each, size in
                ((logits, 1 + net.classes), (offsets, 4))]  # fmt: skip
        own = anchors[first : first + cells * rows[0].shape[1]].reshape(rows[1].shape)
        first += cells * rows[0].shape[1]
        corners = decode(mx.nd, rows[1].astype('float32'), own).asnumpy()
        heads.append(_Head(path + classes, _softmax(rows[0].asnumpy().astype(np.float64)), corners))
    return heads


def _map_of(
    net: mx.gluon.HybridBlock,
    graph: NetworkGraph,
    heads: Sequence[_Head],
    shapes: Dict[str, Shape],
    images: mx.nd.NDArray,
    row: np.ndarray,
    layer: str,
) -> BoxMap:
    label, score, corners = int(row[0]), float(row[1]), row[2:]
    head, cell, anchor = _anchor_of(heads, row)
    flat = graph.outputs[head.path].reshape((0, -1))

    def of_score(outputs: np.ndarray) -> np.ndarray:
        probabilities = head.probabilities[cell, anchor]
        gradient = np.zeros(shapes[head.path], np.float64)
        down, across = divmod(cell, gradient.shape[3])
        begin = anchor * len(probabilities)
        gradient[0, begin : begin + len(probabilities), down, across] = -probabilities
        gradient[0, begin + 1 + label, down, across] += 1  # of the logarithm of the score, whose scale does not matter
        return gradient.reshape(outputs.shape)

    values, gradients, _ = differentiated(net, replace(graph, output=flat), layer, images, of_score)
    heat = scaled_to_peak((values * gradients).sum(axis=1))[0]
    grid = graph.grids({layer: shapes[layer]}, images.shape[2:])[layer]
    return BoxMap(heat, label, score, corners, layer, grid)


def _anchor_of(heads: Sequence[_Head], row: np.ndarray) -> Tuple[_Head, int, int]:
    """The head, the cell and the anchor that a detection is of: of its score, and of its box."""
    best, found = np.inf, (heads[0], 0, 0)
    for head in heads:
        scores = head.probabilities[:, :, 1 + int(row[0])]
        difference = np.abs(scores - row[1]) + np.abs(head.corners - row[2:]).max(axis=2)
        if difference.min() < best:
            cell, anchor = np.unravel_index(difference.argmin(), difference.shape)
            best, found = float(difference.min()), (head, int(cell), int(anchor))
    return found


def _default_layer(head: _Head, graph: NetworkGraph, shapes: Dict[str, Shape]) -> str:
    """The last block before the heads that a head depends on and that has its cells."""
    before = [path for path in reversed(list(shapes)) if not path.startswith(_HEADS)]
    same = [path for path in before if shapes[path][2:] == shapes[head.path][2:]]
    for path in [*same, *before]:
        output, variable = replace_by_variable(graph.outputs[head.path], graph.outputs[path])
        if variable in output.list_inputs():
            return path
    raise UsageError(f'{head.path} depends on no map')


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)

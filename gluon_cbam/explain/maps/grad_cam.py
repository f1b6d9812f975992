"""Grad-CAM and Grad-CAM++: class activation maps from the gradient of a logit."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np
from mxnet.gluon import nn
from mxnet.gluon.nn.conv_layers import _Pooling

from gluon_cbam.common.errors import UsageError, closest

from .class_maps import ClassMaps, Targets, checked_targets, scaled_to_peak
from .graph import (
    DATA,
    Images,
    NetworkGraph,
    Shape,
    evaluate_symbols,
    inference_in_train_mode,
    prepare_images,
    replace_by_variable,
    trace_network,
)
from .grid import Grid


def _gradcam_weights(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Equation 1 of Selvaraju et al.: the mean of the gradient over the positions."""
    return gradients.mean(axis=(2, 3))


def _gradcam_plus_plus_weights(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Equations 10 and 19 of Chattopadhay et al. for the exponential of the logit.

    Its second and third derivatives are then powers of the first times that exponential, which cancels in alpha. In the
    weights it is one factor for each image, which the normalization of the map cancels.
    """
    square, cube = gradients**2, gradients**3
    below = 2 * square + maps.sum(axis=(2, 3), keepdims=True) * cube
    alpha = np.divide(square, below, out=np.zeros_like(below), where=below != 0)
    return (alpha * np.maximum(gradients, 0)).sum(axis=(2, 3))


METHODS: Dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    'gradcam': _gradcam_weights,
    'gradcam++': _gradcam_plus_plus_weights,
}
"""Method -> function of maps and gradients (N, C, H, W) that returns the weights of the channels (N, C)."""
# blocks that are never the default layer, even if their output has four dimensions
_NO_DEFAULT_LAYER = (_Pooling, nn.Dropout)


def grad_cam(
    net: mx.gluon.HybridBlock,
    images: Images,
    targets: Targets = None,
    layer: Optional[str] = None,
    method: str = 'gradcam',
) -> ClassMaps:
    """Compute Grad-CAM or Grad-CAM++ of a batch.

    Both are the positive part of the sum of a layer's channels, each weighted by the gradient of the class's logit:
    Grad-CAM after Selvaraju et al., ICCV 2017, arXiv 1610.02391v4, equations 1 and 2; Grad-CAM++ after Chattopadhay et
    al., WACV 2018, arXiv 1710.11063v3, equations 10 and 19.

    Args:
        net: any HybridBlock from images to (N, classes), initialized, hybridized or not.
        images: (N, C, H, W), preprocessed.
        targets: the class, one for all images or one for each; default the predicted class. For networks that return
            embeddings (Modified-CBAMnet), the index of an output of the embedding, which is needed there.
        layer: path of a block, as ``save_parameters`` names it, whose output is a map (N, C, H, W); default the last
            map before the pooling. In networks of other packages that is the last block output that has more than one
            position.
        method: a key of :data:`METHODS`; default ``gradcam``.

    Returns:
        The maps, with the classes, the layer and the logits.

    Raises:
        UsageError: an unknown method, layer or class, embeddings without targets, or a network whose output is not
            (N, classes).

    Example:
        >>> gluon_cbam.explain.grad_cam(net, images, targets=3, layer='layer3').maps.shape
        (1, 14, 14)
    """
    if targets is None and hasattr(net, 'outputs'):
        raise UsageError(
            f'{type(net).__name__} returns embeddings, which have no classes: give targets, indices below {net.outputs}'
        )

    def of_classes(logits: np.ndarray) -> np.ndarray:
        chosen = np.zeros_like(logits)
        chosen[np.arange(len(logits)), checked_targets(targets, logits)] = 1
        return chosen

    found = weighted_maps(net, images, of_classes, layer, method)
    return ClassMaps(found.maps, checked_targets(targets, found.outputs), found.layer, found.outputs, found.grid)


class WeightedMaps(NamedTuple):
    """The channels of a layer, weighted by the gradient of a target.

    Attributes:
        maps: (N, H, W) float32 in 0..1, see :class:`.class_maps.ClassMaps`.
        outputs: (N, D), the output of the network.
        layer: path of the block whose output was weighted.
        grid: positions of the maps' cells on the images.
    """

    maps: np.ndarray
    outputs: np.ndarray
    layer: str
    grid: Optional[Grid]


OutputGradient = Callable[[np.ndarray], np.ndarray]
"""Function from the output of a network, (N, D), to the gradient of the target by it, (N, D)."""


def weighted_maps(
    net: mx.gluon.HybridBlock,
    images: Images,
    gradient: OutputGradient,
    layer: Optional[str] = None,
    method: str = 'gradcam',
) -> WeightedMaps:
    """Compute Grad-CAM or Grad-CAM++ for any target that is a function of the output.

    Args:
        net: see :func:`grad_cam`.
        images: (N, C, H, W), preprocessed.
        gradient: the gradient of the target by the output.
        layer: see :func:`grad_cam`.
        method: a key of :data:`METHODS`.

    Returns:
        The maps.

    Raises:
        UsageError: an unknown method or layer, or a network whose output is not (N, D).
    """
    if method not in METHODS:
        raise UsageError(f'unknown method {method!r}: {closest(method, METHODS)}')
    images = prepare_images(net, images)
    graph = trace_network(net)
    if not isinstance(graph.output, mx.sym.Symbol) or len(graph.output.list_outputs()) != 1:
        raise UsageError(f'{type(net).__name__} returns several arrays, but Grad-CAM needs one of (N, classes)')
    shapes = graph.map_shapes(images.shape)
    layer = _default_layer(net, graph, shapes) if layer is None else checked_layer(layer, graph, shapes)
    values, gradients, outputs = differentiated(net, graph, layer, images, gradient)
    weights = METHODS[method](values, gradients)
    heat = scaled_to_peak(np.einsum('nc,nchw->nhw', weights, values))
    grid = graph.grids({layer: shapes[layer]}, images.shape[2:])[layer]
    return WeightedMaps(heat, outputs, layer, grid)


def differentiated(
    net: mx.gluon.HybridBlock, graph: NetworkGraph, layer: str, images: mx.nd.NDArray, gradient: OutputGradient
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differentiate a target by the output of a block.

    Args:
        net: the network, for messages.
        graph: its graph; the output must be (N, D).
        layer: path of the block.
        images: (N, C, H, W).
        gradient: the gradient of the target by the output.

    Returns:
        The layer's maps and the gradients of the target by them, both float64, and the output.

    Raises:
        UsageError: the output does not depend on the block, or is not (N, D).
    """
    with mx.autograd.pause(train_mode=False):
        (maps,) = evaluate_symbols([graph.outputs[layer]], graph.parameters, {DATA: images})
    head, variable = replace_by_variable(graph.output, graph.outputs[layer])
    inputs = {name: value for name, value in ((DATA, images), (variable, maps)) if name in head.list_inputs()}
    if variable not in inputs:
        raise UsageError(f'the output of {type(net).__name__} does not depend on {layer}')
    maps.attach_grad()
    with mx.autograd.record():
        (output,) = evaluate_symbols([inference_in_train_mode(head)], graph.parameters, inputs)
    outputs = output.asnumpy()
    if outputs.ndim != 2:
        raise UsageError(f'{type(net).__name__} returns {outputs.shape}, but Grad-CAM needs (N, classes)')
    output.backward(mx.nd.array(gradient(outputs), output.context, output.dtype))
    return maps.asnumpy().astype(np.float64), maps.grad.asnumpy().astype(np.float64), outputs


def _default_layer(net: mx.gluon.HybridBlock, graph: NetworkGraph, shapes: Dict[str, Shape]) -> str:
    layers = [path for path in shapes if not isinstance(graph.blocks[path], _NO_DEFAULT_LAYER)]
    if not hasattr(net, 'stage_outputs'):  # in networks of this package only maps come before the pooling
        layers = [path for path in layers if shapes[path][2] * shapes[path][3] > 1] or layers
    if not layers:
        raise UsageError(f'{type(net).__name__} has no block with a map (N, C, H, W) for its output')
    return layers[-1]


def checked_layer(layer: str, graph: NetworkGraph, shapes: Dict[str, Shape]) -> str:
    """Check that the output of a block is a map.

    Args:
        layer: path of the block, which is returned.
        graph: the graph of the network.
        shapes: see :meth:`.graph.NetworkGraph.map_shapes`.

    Raises:
        UsageError: there is no such block, or its output is no map.
    """
    if layer in shapes:
        return layer
    if layer in graph.outputs:
        raise UsageError(f'the output of {layer} is not a map (N, C, H, W)')
    raise UsageError(f'unknown layer {layer!r}: {closest(layer, shapes)}')

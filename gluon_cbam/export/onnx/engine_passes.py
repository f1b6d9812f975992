"""Graph optimizations for one engine in float32, chosen by measurements with ``scripts/benchmark_onnx.py``.

Results stay the same up to rounding. Where the size of images is free, the passes that need the size of a map leave it
as it is. Attention needs little arithmetic and much memory traffic, so most passes reduce
how often an engine reads and writes the feature maps.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError, closest

from .graph import Node, OnnxGraph
from .winograd import winograd_convolutions

_MAX_GROUPS = 4


def global_pooling_as_pooling(graph: OnnxGraph) -> None:
    """Replace global pooling by pooling with a kernel of the map's size, which OpenVINO runs faster."""
    for node in graph.nodes:
        size = graph.fixed_shape(node.inputs[0])[2:]
        if node.op in ('GlobalAveragePool', 'GlobalMaxPool') and size:
            node.op, node.attributes = node.op[len('Global') :], {'kernel_shape': list(size)}


def channel_mean_as_product(graph: OnnxGraph) -> None:
    """Replace the mean over channels by a product with a row of 1 / C: ONNX Runtime's mean of one image is slow."""
    for node in _channel_reductions(graph, 'ReduceMean'):
        _, channels, height, width = graph.fixed_shape(node.inputs[0])
        row = graph.constant(f'{node.output}/row', np.full((1, channels), 1 / channels, np.float32))
        product = Node('MatMul', [row, f'{node.output}/flat'], [f'{node.output}/mean'])
        _replace_reduction(graph, node, [0, channels, height * width], [product])


def channel_maximum_in_groups(graph: OnnxGraph) -> None:
    """Compute the maximum over channels in two steps: of groups of channels, then of the groups.

    ONNX Runtime's threads divide the axes before the reduced one among themselves, and for one image there is only one.
    """
    for node in _channel_reductions(graph, 'ReduceMax'):
        _, channels, height, width = graph.fixed_shape(node.inputs[0])
        if channels % _MAX_GROUPS == 0:
            parts, whole = f'{node.output}/of_parts', f'{node.output}/maximum'
            maxima = [
                Node('ReduceMax', [f'{node.output}/flat'], [parts], {'axes': [2], 'keepdims': 0}),
                Node('ReduceMax', [parts], [whole], {'axes': [1], 'keepdims': 1}),
            ]
            _replace_reduction(graph, node, [0, _MAX_GROUPS, channels // _MAX_GROUPS, height * width], maxima)


def _channel_reductions(graph: OnnxGraph, op: str) -> List[Node]:
    found = [node for node in graph.nodes if node.op == op and node.attributes['axes'] == [1]]
    return [node for node in found if len(graph.fixed_shape(node.inputs[0])) == 4]


def _replace_reduction(graph: OnnxGraph, node: Node, shape: List[int], nodes: List[Node]) -> None:
    """Replace a reduction over channels by nodes that take ``{output}/flat``, the input reshaped to ``shape``."""
    back = [0, 1, *graph.fixed_shape(node.inputs[0])[2:]]
    flat, whole = (
        graph.constant(f'{node.output}/{name}', np.asarray(value, np.int64))
        for name, value in (('split', shape), ('shape', back))
    )
    first = Node('Reshape', [node.inputs[0], flat], [f'{node.output}/flat'])
    last = Node('Reshape', [nodes[-1].output, whole], node.outputs)
    place = graph.nodes.index(node)
    graph.nodes[place : place + 1] = [first, *nodes, last]


def average_before_convolution(graph: OnnxGraph) -> None:
    """Replace ``B average(A x)`` by ``(B A) average(x)`` for 1 x 1 convolutions A with more outputs than inputs.

    The last convolution of a bottleneck block is one.
    """
    for last in [node for node in graph.nodes if _is_pointwise(graph, node)]:
        producers = graph.producers()
        pool = producers.get(last.inputs[0])
        if pool is None or pool.op != 'AveragePool':
            continue
        first = producers.get(pool.inputs[0])
        if first is None or not _is_pointwise(graph, first):
            continue
        size = list(graph.shapes[first.output][2:])
        (inner, shift), (outer, bias) = (_matrix(graph, node) for node in (first, last))
        if pool.attributes != {'kernel_shape': size} or inner.shape[0] <= inner.shape[1]:
            continue
        made = Node('AveragePool', [first.inputs[0]], [f'{last.output}/average'], pool.attributes)
        graph.shapes[made.output] = (1, inner.shape[1], 1, 1)
        graph.nodes.insert(graph.nodes.index(last), made)
        values = {'kernel': (outer @ inner)[:, :, None, None], 'bias': outer @ shift + bias}
        names = [graph.constant(f'{last.output}/{name}', value.astype(np.float32)) for name, value in values.items()]
        last.inputs = [made.output, *names]
    graph.prune()


def _is_pointwise(graph: OnnxGraph, node: Node) -> bool:
    kernel = graph.constants.get(node.inputs[1]) if node.op == 'Conv' else None
    if kernel is None or kernel.shape[2:] != (1, 1):
        return False
    given = node.attributes
    return given.get('group', 1) == 1 and not any(given.get('pads', ())) and set(given.get('strides', (1,))) == {1}


def _matrix(graph: OnnxGraph, node: Node) -> Tuple[np.ndarray, np.ndarray]:
    """Weights (out, in) and bias of a 1 x 1 convolution, float64."""
    kernel = graph.constants[node.inputs[1]][:, :, 0, 0].astype(np.float64)
    bias = graph.constants[node.inputs[2]].astype(np.float64) if len(node.inputs) > 2 else np.zeros(len(kernel))
    return kernel, bias


def residual_add_in_convolution(graph: OnnxGraph) -> None:
    """Insert a depthwise 1 x 1 convolution of ones after ``x gate`` in ``ReLU(x gate + shortcut)``.

    ONNX Runtime fuses addition and ReLU into a convolution, and runs convolutions in its blocked layout. Without this
    one the shortcut is reordered from that layout and back, and addition and ReLU each read and write the map.
    """
    producers, consumers = graph.producers(), graph.consumers()
    for total in [node for node in graph.nodes if node.op == 'Add']:
        after = consumers.get(total.output, [])
        scaled = [name for name in total.inputs if name in producers and producers[name].op == 'Mul']
        if len(after) != 1 or after[0] is None or after[0].op != 'Relu' or len(scaled) != 1:
            continue
        (name,) = scaled
        shape = graph.shapes.get(name, ())
        if len(shape) != 4 or len(consumers[name]) != 1:
            continue
        channels = graph.channels(name)
        ones = graph.constant(f'{name}/ones', np.ones((channels, 1, 1, 1), np.float32))
        made = Node('Conv', [name, ones], [f'{name}/same'], {'kernel_shape': [1, 1], 'group': channels})
        graph.shapes[made.output] = shape
        graph.nodes.insert(graph.nodes.index(total), made)
        total.inputs = [made.output if value == name else value for value in total.inputs]


def gate_dense_as_convolutions(graph: OnnxGraph) -> None:
    """Replace the dense layers between a global pooling and its gate by 1 x 1 convolutions, which need no reshaping."""
    maps: Dict[str, str] = {}  # value (N, C) -> the same value as (N, C, 1, 1)
    for node in list(graph.nodes):
        source = node.inputs[0]
        if node.op == 'Flatten' and graph.shapes.get(source, ())[2:] == (1, 1):
            maps[node.output] = source
        elif node.op == 'Unsqueeze' and source in maps:
            maps[node.output] = maps[source]
            if node.attributes['axes'] == [3]:
                graph.replace(node.output, maps[source])
        elif node.op == 'Gemm' and source in maps:
            weight = graph.constants[node.inputs[1]]
            kernel = graph.constant(f'{node.inputs[1]}/kernel', weight[:, :, None, None])
            _as_map(graph, node, maps, Node('Conv', [maps[source], kernel, *node.inputs[2:]], [], {}))
        elif node.op in ('Relu', 'Add') and all(name in maps for name in node.inputs):
            _as_map(graph, node, maps, Node(node.op, [maps[name] for name in node.inputs], [], {}))
    graph.prune()


def _as_map(graph: OnnxGraph, node: Node, maps: Dict[str, str], made: Node) -> None:
    """Add a copy of a node for values (N, C, 1, 1); unused nodes are pruned later."""
    made.outputs = [f'{node.output}/map']
    graph.nodes.insert(graph.nodes.index(node) + 1, made)
    graph.shapes[made.output] = (*graph.shapes.get(node.output, (1, 0)), 1, 1)
    maps[node.output] = made.output


ENGINE_PASSES: Dict[str, List[Callable[[OnnxGraph], None]]] = {
    'onnxruntime': [
        global_pooling_as_pooling,
        channel_mean_as_product,
        channel_maximum_in_groups,
        residual_add_in_convolution,
        gate_dense_as_convolutions,
        average_before_convolution,
        winograd_convolutions,
    ],
    'openvino': [
        global_pooling_as_pooling,
        gate_dense_as_convolutions,
        average_before_convolution,
        winograd_convolutions,
    ],
    'gpu': [],
}
"""Engine -> its passes, in the order in which they run. The libraries of GPUs choose their own algorithms for plain
convolutions, and nothing was measured there."""


def optimize_for_engine(graph: OnnxGraph, engine: str) -> None:
    """Run the passes of an engine; any engine runs the result.

    Args:
        graph: simplified; changed in place.
        engine: a key of :data:`ENGINE_PASSES`.

    Raises:
        UsageError: an unknown engine.
    """
    if engine not in ENGINE_PASSES:
        raise UsageError(f'unknown engine {engine!r}: {closest(engine, ENGINE_PASSES)}')
    for run in ENGINE_PASSES[engine]:
        run(graph)

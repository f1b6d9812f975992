"""The same numbers in operators that an engine runs fast in float32, as measured by ``scripts/benchmark_onnx.py``.

Attention costs little arithmetic and much memory traffic, so what counts is how often an engine goes over the maps.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError, closest

from .graph import Node, OnnxGraph
from .winograd import winograd

_PARTS = 4


def pool_with_kernels(graph: OnnxGraph) -> None:
    """Global pooling becomes pooling with a kernel of the map's size: OpenVINO has a faster kernel for it."""
    for node in graph.nodes:
        size = graph.shapes.get(node.inputs[0], ())[2:]
        if node.op in ('GlobalAveragePool', 'GlobalMaxPool') and size:
            node.op, node.attributes = node.op[len('Global') :], {'kernel_shape': list(size)}


def mean_as_product(graph: OnnxGraph) -> None:
    """The mean over channels becomes a product with a row of 1 / C: ONNX Runtime reduces slowly for a single image."""
    for node in _reductions_of_channels(graph, 'ReduceMean'):
        _, channels, height, width = graph.shapes[node.inputs[0]]
        row = graph.constant(f'{node.output}/row', np.full((1, channels), 1 / channels, np.float32))
        product = Node('MatMul', [row, f'{node.output}/flat'], [f'{node.output}/mean'])
        _on_flat(graph, node, [0, channels, height * width], [product])


def maximum_in_parts(graph: OnnxGraph) -> None:
    """The maximum over channels is taken of parts of them first: ONNX Runtime's threads share out what is in front of
    the axis that it reduces, which would be a single image."""
    for node in _reductions_of_channels(graph, 'ReduceMax'):
        _, channels, height, width = graph.shapes[node.inputs[0]]
        if channels % _PARTS == 0:
            parts, whole = f'{node.output}/of_parts', f'{node.output}/maximum'
            maxima = [
                Node('ReduceMax', [f'{node.output}/flat'], [parts], {'axes': [2], 'keepdims': 0}),
                Node('ReduceMax', [parts], [whole], {'axes': [1], 'keepdims': 1}),
            ]
            _on_flat(graph, node, [0, _PARTS, channels // _PARTS, height * width], maxima)


def _reductions_of_channels(graph: OnnxGraph, op: str) -> List[Node]:
    found = [node for node in graph.nodes if node.op == op and node.attributes['axes'] == [1]]
    return [node for node in found if len(graph.shapes.get(node.inputs[0], ())) == 4]


def _on_flat(graph: OnnxGraph, node: Node, shape: List[int], nodes: List[Node]) -> None:
    """Put nodes that take ``{output}/flat``, of this shape, in the place of a reduction over channels."""
    back = [0, 1, *graph.shapes[node.inputs[0]][2:]]
    flat, whole = (
        graph.constant(f'{node.output}/{name}', np.int64(value)) for name, value in (('split', shape), ('shape', back))
    )
    first = Node('Reshape', [node.inputs[0], flat], [f'{node.output}/flat'])
    last = Node('Reshape', [nodes[-1].output, whole], node.outputs)
    place = graph.nodes.index(node)
    graph.nodes[place : place + 1] = [first, *nodes, last]


def average_before_convolution(graph: OnnxGraph) -> None:
    """``B average(A x)`` becomes ``(B A) average(x)`` for 1 x 1 convolutions: a block's last one widens its map."""
    for last in [node for node in graph.nodes if _is_pointwise(graph, node)]:
        producers = graph.producers()
        pool = producers.get(last.inputs[0])
        first = producers.get(pool.inputs[0]) if pool is not None and pool.op == 'AveragePool' else None
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
        names = [graph.constant(f'{last.output}/{name}', np.float32(value)) for name, value in values.items()]
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


def add_in_convolution(graph: OnnxGraph) -> None:
    """``ReLU(x gate + shortcut)`` gets a depthwise 1 x 1 convolution of ones around ``x gate``.

    ONNX Runtime adds and rectifies within a convolution, and convolutions work in its blocked layout: without this one
    the shortcut goes from that layout to the plain one and back, and addition and ReLU are passes of their own.
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
        ones = graph.constant(f'{name}/ones', np.ones((shape[1], 1, 1, 1), np.float32))
        made = Node('Conv', [name, ones], [f'{name}/same'], {'kernel_shape': [1, 1], 'group': shape[1]})
        graph.shapes[made.output] = shape
        graph.nodes.insert(graph.nodes.index(total), made)
        total.inputs = [made.output if value == name else value for value in total.inputs]


def dense_as_convolutions(graph: OnnxGraph) -> None:
    """Dense layers between a global pooling and the gate made of it become 1 x 1 convolutions, without reshaping."""
    maps: Dict[str, str] = {}  # value without the last axes -> the same with them
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
    """Add a node's double that keeps the last axes; whichever nobody needs is pruned."""
    made.outputs = [f'{node.output}/map']
    graph.nodes.insert(graph.nodes.index(node) + 1, made)
    graph.shapes[made.output] = (*graph.shapes.get(node.output, (1, 0)), 1, 1)
    maps[node.output] = made.output


ENGINES: Dict[str, List[Callable[[OnnxGraph], None]]] = {
    'onnxruntime': [
        pool_with_kernels,
        mean_as_product,
        maximum_in_parts,
        add_in_convolution,
        dense_as_convolutions,
        average_before_convolution,
        winograd,
    ],
    'openvino': [pool_with_kernels, dense_as_convolutions, average_before_convolution, winograd],
}
"""Engine -> the passes for it, in this order."""


def tune(graph: OnnxGraph, engine: str) -> None:
    """Write a simplified graph in the operators that an engine runs fast; any engine runs the result.

    Raises:
        UsageError: an unknown engine.
    """
    if engine not in ENGINES:
        raise UsageError(f'unknown engine {engine!r}: {closest(engine, ENGINES)}')
    for run in ENGINES[engine]:
        run(graph)

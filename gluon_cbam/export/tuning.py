"""The same numbers in operators that an engine runs fast in float32, as measured by ``scripts/benchmark_onnx.py``.

Attention costs little arithmetic and much memory traffic, so what counts is how often an engine goes over the maps.
"""

from __future__ import annotations

from typing import Callable, Dict, List

import numpy as np

from ..errors import UsageError, closest
from .onnx_graph import Node, OnnxGraph


def pool_with_kernels(graph: OnnxGraph) -> None:
    """Global pooling becomes pooling with a kernel of the map's size: OpenVINO has a faster kernel for it."""
    for node in graph.nodes:
        size = graph.shapes.get(node.inputs[0], ())[2:]
        if node.op in ('GlobalAveragePool', 'GlobalMaxPool') and size:
            node.op, node.attributes = node.op[len('Global') :], {'kernel_shape': list(size)}


def mean_as_product(graph: OnnxGraph) -> None:
    """The mean over channels becomes a product with a row of 1 / C: ONNX Runtime reduces slowly for a single image."""
    for node in [node for node in graph.nodes if node.op == 'ReduceMean' and node.attributes['axes'] == [1]]:
        _, channels, height, width = graph.shapes[node.inputs[0]]
        names = [f'{node.output}/{part}' for part in ('flat', 'mean')]
        row = graph.constant(f'{node.output}/row', np.full((1, channels), 1 / channels, np.float32))
        flat, back = (
            graph.constant(f'{node.output}/{part}', np.int64(shape))
            for part, shape in (('flat_shape', [0, channels, height * width]), ('shape', [0, 1, height, width]))
        )
        _substitute(
            graph,
            node,
            [
                Node('Reshape', [node.inputs[0], flat], [names[0]]),
                Node('MatMul', [row, names[0]], [names[1]]),
                Node('Reshape', [names[1], back], node.outputs),
            ],
        )


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


def _substitute(graph: OnnxGraph, node: Node, nodes: List[Node]) -> None:
    place = graph.nodes.index(node)
    graph.nodes[place : place + 1] = nodes


ENGINES: Dict[str, List[Callable[[OnnxGraph], None]]] = {
    'onnxruntime': [pool_with_kernels, mean_as_product, add_in_convolution, dense_as_convolutions],
    'openvino': [pool_with_kernels, dense_as_convolutions],
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

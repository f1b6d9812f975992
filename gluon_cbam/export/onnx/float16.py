"""An ONNX graph in float16: constants and arithmetic have half the size, input and outputs stay as they are.

Operators whose results or sums easily leave float16's range (65504) or need more than its 10 bits are computed in
float32, between two casts: sums, exponentials and statistics. So is everything from pixels to the first convolution,
whose weights hold the scale of pixels and are too small for float16.
"""

from __future__ import annotations

from typing import Iterable, List, Set

import numpy as np

from gluon_cbam.common.errors import DataError

from .graph import Node, OnnxGraph

_FLOAT32_OPERATORS = (
    'BatchNormalization', 'InstanceNormalization', 'ReduceSum', 'ReduceMean', 'Exp', 'Log', 'Sqrt', 'Pow', 'Softplus',
    'Softsign', 'Erf', 'Softmax',
)  # fmt: skip
_FLOAT, _HALF = 1, 10  # TensorProto's numbers of these types
_LARGEST = float(np.finfo(np.float16).max)


def to_float16(graph: OnnxGraph) -> None:
    """Rewrite a graph in float16.

    Args:
        graph: simplified, with named outputs, in float32; changed in place.

    Raises:
        DataError: a parameter is larger than float16's largest number.
    """
    exact = _exact_nodes(graph)
    _halve_constants(graph, [node for node in graph.nodes if id(node) not in exact])
    floats = {name for name, value in graph.constants.items() if value.dtype == np.float32}
    made: List[Node] = []
    if graph.input_dtype == 'float32':
        made.append(Node('Cast', [graph.input], [f'{graph.input}/half'], {'to': _HALF}))
        graph.replace(graph.input, made[0].output)
    for node in graph.nodes:
        if id(node) not in exact:
            made.append(node)
        elif node.op == 'Cast':
            made.append(node)
            floats.add(node.output)
        else:
            made += _between_casts(graph, node, floats)
    graph.nodes = made
    producers = graph.producers()
    for name in graph.outputs:  # their Identity nodes
        producers[name].op, producers[name].attributes = 'Cast', {'to': _FLOAT}


def _exact_nodes(graph: OnnxGraph) -> Set[int]:
    """The nodes that stay in float32, by their ``id()``."""
    exact = {id(node) for node in graph.nodes if node.op in _FLOAT32_OPERATORS}
    pixels = {graph.input} if graph.input_dtype == 'uint8' else set()
    for node in graph.nodes:
        if pixels.intersection(node.inputs):
            exact.add(id(node))
            if node.op != 'Conv':
                pixels.update(node.outputs)
    return exact


def _halve_constants(graph: OnnxGraph, nodes: Iterable[Node]) -> None:
    """Convert the constants that some nodes take."""
    taken = {name for node in nodes for name in node.inputs}
    for name in taken.intersection(graph.constants):
        value = graph.constants[name]
        largest = np.abs(value).max(initial=0) if value.dtype == np.float32 else 0
        if largest > _LARGEST:
            raise DataError(f'{name} holds {largest:.3g}, and the largest number of float16 is 65504: use onnx')
        if value.dtype == np.float32:
            graph.constants[name] = value.astype(np.float16)


def _between_casts(graph: OnnxGraph, node: Node, floats: Set[str]) -> List[Node]:
    """A node in float32: casts of those inputs that are float16, the node, and a cast of its output."""
    casts = []
    for place, name in enumerate(node.inputs):
        integer = name in graph.constants and graph.constants[name].dtype.kind == 'i'
        if name not in floats and not integer:
            casts.append(Node('Cast', [name], [f'{node.output}/input{place}'], {'to': _FLOAT}))
            node.inputs[place] = casts[-1].output
    exact = f'{node.output}/exact'
    after = Node('Cast', [exact], [node.output], {'to': _HALF})
    node.outputs = [exact]
    return [*casts, node, after]

"""An ONNX graph in float16: constants and arithmetic have half the size, input and outputs stay as they are.

Operators whose results or sums easily leave float16's range (65504) or need more than its 10 bits are computed in
float32, between two casts: sums, exponentials and statistics. So is everything from pixels to the first convolution,
whose weights hold the scale of pixels and are too small for float16, and what detectors compute from their heads on:
float16 has 11 bits, and neither the numbers of anchors nor the pixels of boxes fit.
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
_OF_SIZES = ('Gather', 'Unsqueeze', 'Concat', 'Slice', 'Range')  # operators that give sizes where they take them
_FLOAT, _HALF = 1, 10  # TensorProto's numbers of these types
_LARGEST = float(np.finfo(np.float16).max)


def to_float16(graph: OnnxGraph) -> None:
    """Rewrite a graph in float16.

    Args:
        graph: simplified, with named outputs, in float32; changed in place.

    Raises:
        DataError: a parameter is larger than float16's largest number.
    """
    kinds = _Float32Nodes(graph)
    _halve_constants(graph, [node for node in graph.nodes if not kinds.is_exact(node)])
    floats = {name for name, value in graph.constants.items() if value.dtype == np.float32}
    made: List[Node] = []
    if graph.input_dtype == 'float32':
        made.append(Node('Cast', [graph.input], [f'{graph.input}/half'], {'to': _HALF}))
        graph.replace(graph.input, made[0].output)
    for node in graph.nodes:
        if kinds.stays(node):
            made += [*_casts(graph, node, floats), node]
            floats.update(node.outputs)
        elif kinds.is_exact(node):
            made += _between_casts(graph, node, floats)
        else:
            made.append(node)
    graph.nodes = made
    producers = graph.producers()
    for name in graph.outputs:  # their Identity nodes
        producers[name].op, producers[name].attributes = 'Cast', {'to': _FLOAT}


class _Float32Nodes:
    """Which nodes are computed in float32, and which of these give it on to the next ones.

    Values are in float32 from a cast on, as MXNet's graph has it for pixels and behind the heads of a detector, up to
    the next convolution. What is computed from constants and sizes alone, such as anchors, is, too.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self._exact: Set[int] = set()
        self._staying: Set[int] = set()
        known = {*graph.constants, ''}
        floats: Set[str] = set()
        sizes: Set[str] = set()
        for node in graph.nodes:
            if node.op in _FLOAT32_OPERATORS:
                self._exact.add(id(node))
            if node.op == 'Shape' or (node.op in _OF_SIZES and sizes.union(known).issuperset(node.inputs)):
                sizes.update(node.outputs)
            elif node.op == 'Cast' or floats.intersection(node.inputs) or {*known, *sizes}.issuperset(node.inputs):
                self._exact.add(id(node))
                if node.op == 'Conv':
                    continue
                floats.update(node.outputs)
            else:
                continue
            self._staying.add(id(node))

    def is_exact(self, node: Node) -> bool:
        """Whether a node is computed in float32, or in integers."""
        return id(node) in self._exact or id(node) in self._staying

    def stays(self, node: Node) -> bool:
        """Whether its outputs stay in float32, or are integers."""
        return id(node) in self._staying


def _halve_constants(graph: OnnxGraph, nodes: Iterable[Node]) -> None:
    """Convert the constants that some nodes take."""
    taken = {name for node in nodes if node.op != 'Resize' for name in node.inputs}  # its factors are float32 always
    for name in taken.intersection(graph.constants):
        value = graph.constants[name]
        largest = np.abs(value).max(initial=0) if value.dtype == np.float32 else 0
        if largest > _LARGEST:
            raise DataError(f'{name} holds {largest:.3g}, and the largest number of float16 is 65504: use onnx')
        if value.dtype == np.float32:
            graph.constants[name] = value.astype(np.float16)


def _casts(graph: OnnxGraph, node: Node, floats: Set[str]) -> List[Node]:
    """Casts of those inputs of a node that are float16, which it takes instead."""
    casts: List[Node] = []
    for place, name in enumerate(node.inputs):
        integer = name in graph.constants and graph.constants[name].dtype.kind == 'i'
        if name and name not in floats and not integer and node.op not in ('Cast', 'Shape'):
            casts.append(Node('Cast', [name], [f'{node.output}/input{place}'], {'to': _FLOAT}))
            node.inputs[place] = casts[-1].output
    return casts


def _between_casts(graph: OnnxGraph, node: Node, floats: Set[str]) -> List[Node]:
    """A node in float32: casts of those inputs that are float16, the node, and a cast of its output."""
    casts = _casts(graph, node, floats)
    exact = f'{node.output}/exact'
    after = Node('Cast', [exact], [node.output], {'to': _HALF})
    node.outputs = [exact]
    return [*casts, node, after]

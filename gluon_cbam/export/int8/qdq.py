"""A float graph with QuantizeLinear and DequantizeLinear around everything that can run in eight bits.

Activations are uint8 with a scale a tensor, weights int8 with a scale an output channel, biases int32: the form that
engines recognise and turn into integer kernels. What an activation function with a lower end of 0 would clip, the
rounding to uint8 clips; maxima are taken of whole numbers, since rounding keeps their order.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional

import numpy as np

from gluon_cbam.export.onnx.graph import Node, OnnxGraph

from .calibration import Range

_FEWEST_CHANNELS = 8  # of a convolution that is worth it: the spatial gates have one
_SMALLEST_DENSE = 1 << 12  # weights of a dense layer that is worth it, where the batch is small
_GATES = {'Sigmoid': Range.of(0.0, 1.0)}


class _Whole(NamedTuple):
    """A value in eight bits."""

    name: str
    range: Range


def values_to_observe(graph: OnnxGraph, attention: bool) -> List[str]:
    """The float values whose ranges :func:`to_eight_bits` needs."""
    asked: Dict[str, Range] = defaultdict(lambda: Range(1.0, 0))
    _Writer(graph, asked, attention).write()
    return sorted(asked)


def to_eight_bits(graph: OnnxGraph, ranges: Mapping[str, Range], attention: bool) -> OnnxGraph:
    """Write a float graph in eight bits.

    Args:
        graph: without BatchNorms that could be folded.
        ranges: of the values of :func:`values_to_observe`.
        attention: whether the scaling of the maps, and the maxima and means of what it scales, are in eight bits too.
    """
    return _Writer(graph, ranges, attention).write()


class _Writer:
    def __init__(self, graph: OnnxGraph, ranges: Mapping[str, Range], attention: bool):
        self._source, self._ranges, self._attention = graph, ranges, attention
        self._made = OnnxGraph(
            [], dict(graph.constants), graph.input, graph.input_shape, graph.input_dtype, [], dict(graph.shapes)
        )
        self._consumers, self._producers = graph.consumers(), graph.producers()
        self._whole: Dict[str, _Whole] = {}  # value -> its eight bits
        self._pairs = 0
        self._floats: Dict[str, str] = {}  # value -> its float form, where that has another name

    def write(self) -> OnnxGraph:
        for node in self._source.nodes:
            if node.output not in self._floats and node.output not in self._whole:
                self._rule(node)(node)
        self._made.outputs = [self._float(name) for name in self._source.outputs]
        self._made.prune()
        return self._made

    def _rule(self, node: Node) -> Callable[[Node], None]:
        """What becomes of a node: the action of the first row whose condition it meets."""
        rows = (
            (('Conv', 'Gemm'), self._is_worth_it, self._linear),
            (('Add',), self._is_wide, self._elementwise),
            (('MaxPool', 'Flatten'), self._is_whole, self._ordered),
            (('Mul',), self._is_attended, self._elementwise),
            (('GlobalMaxPool',), self._is_attended, self._global_maximum),
            (('GlobalAveragePool',), self._is_attended, self._elementwise),
            (('ReduceMax',), self._is_attended, self._ordered),
            (('ReduceMean',), self._is_channel_mean, self._mean),
        )
        return next((action for ops, meets, action in rows if node.op in ops and meets(node)), self._plain)

    # what a node is

    def _is_worth_it(self, node: Node) -> bool:
        weight = self._source.constants.get(node.inputs[1])
        if weight is None:
            return False
        return weight.size >= _SMALLEST_DENSE if node.op == 'Gemm' else weight.shape[0] >= _FEWEST_CHANNELS

    def _is_whole(self, node: Node) -> bool:
        return node.inputs[0] in self._whole

    def _is_wide(self, node: Node) -> bool:
        """Whether a node takes a map in eight bits and gives one of the same shape, and no constant is among it."""
        shape = self._source.shapes.get(node.output, ())
        maps = [name for name in node.inputs if name in self._whole and self._source.shapes.get(name) == shape]
        constants = [name for name in node.inputs if name in self._source.constants]
        return len(shape) == 4 and bool(maps) and not constants

    def _is_attended(self, node: Node) -> bool:
        return self._attention and (self._is_wide(node) if node.op == 'Mul' else self._is_whole(node))

    def _is_channel_mean(self, node: Node) -> bool:
        return self._is_attended(node) and node.attributes['axes'] == [1]

    # what becomes of it

    def _plain(self, node: Node) -> None:
        inputs = [self._float(name) for name in node.inputs]
        self._made.nodes.append(Node(node.op, inputs, node.outputs, node.attributes))

    def _linear(self, node: Node) -> None:
        """A convolution or dense layer, and the ReLU after it."""
        data = self._to_whole(node.inputs[0])
        weight = self._source.constants[node.inputs[1]]
        scale = np.abs(weight.reshape(len(weight), -1)).max(axis=1) / 127
        scale = np.float32(np.where(scale > 0, scale, 1.0))
        whole = np.rint(weight / scale.reshape((-1,) + (1,) * (weight.ndim - 1))).astype(np.int8)
        inputs = [self._dequantized(data), self._constant_pair(node.inputs[1], whole, scale)]
        if len(node.inputs) > 2:
            steps = np.float32(data.range.scale * scale)
            bias = np.rint(self._source.constants[node.inputs[2]].astype(np.float64) / steps)
            inputs.append(
                self._constant_pair(node.inputs[2], np.clip(bias, -(2**31), 2**31 - 1).astype(np.int32), steps)
            )
        self._quantize_after(Node(node.op, inputs, node.outputs, node.attributes))

    def _elementwise(self, node: Node) -> None:
        inputs = [self._dequantized(self._to_whole(name)) for name in node.inputs]
        self._quantize_after(Node(node.op, inputs, node.outputs, node.attributes))

    def _ordered(self, node: Node) -> None:
        """What keeps the order of numbers runs on the whole ones."""
        data = self._whole[node.inputs[0]]
        made = Node(node.op, [data.name], [f'{node.output}/whole'], node.attributes)
        self._made.nodes.append(made)
        self._whole[node.output] = _Whole(made.output, data.range)

    def _global_maximum(self, node: Node) -> None:
        """Pooling with a kernel of the map's size: ONNX Runtime's reduction of whole numbers is slow over axes that
        are not the last ones, which they are not in its own order of axes."""
        size = self._source.shapes[node.inputs[0]][2:]
        self._ordered(Node('MaxPool', node.inputs, node.outputs, {'kernel_shape': list(size)}))

    def _mean(self, node: Node) -> None:
        """The mean over channels, as a convolution."""
        channels = self._source.shapes[node.inputs[0]][1]
        weight = np.full((1, channels, 1, 1), 1 / channels, np.float32)
        name = self._source.constant(f'{node.output}/weight', weight)
        self._linear(Node('Conv', [node.inputs[0], name], node.outputs, {'kernel_shape': [1, 1]}))

    # the pieces

    def _quantize_after(self, node: Node) -> None:
        """Add a node and the rounding of what it gives, or of what the ReLU after it would give."""
        self._made.nodes.append(node)
        relu = self._relu_after(node.output)
        value = relu.output if relu else node.output
        found = self._ranges[value]
        self._whole[value] = self._quantized(node.output, value, found)

    def _relu_after(self, value: str) -> Optional[Node]:
        taken = self._consumers.get(value, [])
        return taken[0] if len(taken) == 1 and taken[0] is not None and taken[0].op == 'Relu' else None

    def _to_whole(self, value: str) -> _Whole:
        if value not in self._whole:
            producer = self._producers.get(value)
            found = _GATES.get(producer.op) if producer else None
            self._whole[value] = self._quantized(self._float(value), value, found or self._ranges[value])
        return self._whole[value]

    def _quantized(self, source: str, value: str, found: Range) -> _Whole:
        node = Node('QuantizeLinear', [source, *self._parameters(value, found)], [f'{value}/whole'])
        self._made.nodes.append(node)
        return _Whole(node.output, found)

    def _dequantized(self, data: _Whole) -> str:
        """A float form for one taker: engines fuse a pair only with the operator that alone takes it."""
        count = sum(node.op == 'DequantizeLinear' and node.inputs[0] == data.name for node in self._made.nodes)
        output = f'{data.name}/float{count}'
        parameters = self._parameters(data.name, data.range)
        self._made.nodes.append(Node('DequantizeLinear', [data.name, *parameters], [output]))
        return output

    def _float(self, value: str) -> str:
        if value in self._whole and value not in self._floats:
            self._floats[value] = self._dequantized(self._whole[value])
        return self._floats.get(value, value)

    def _parameters(self, value: str, found: Range) -> List[str]:
        scale, zero = f'{value}/scale', f'{value}/zero'
        self._made.constants[scale] = np.float32(found.scale)
        self._made.constants[zero] = np.uint8(found.zero)
        return [scale, zero]

    def _constant_pair(self, name: str, whole: np.ndarray, scale: np.ndarray) -> str:
        """A constant in whole numbers with a scale an output channel; the name of its float form."""
        self._pairs += 1
        base = f'{name}/{self._pairs}'
        constants = {'whole': whole, 'scale': scale, 'zero': np.zeros(len(scale), whole.dtype)}
        for kind, value in constants.items():
            self._made.constants[f'{base}/{kind}'] = value
        node = Node('DequantizeLinear', [f'{base}/{kind}' for kind in constants], [f'{base}/float'], {'axis': 0})
        self._made.nodes.append(node)
        return node.output

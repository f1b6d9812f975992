"""Insertion of QuantizeLinear and DequantizeLinear nodes (QDQ) around every operator that runs in int8.

Activations are uint8 with one scale per tensor, weights int8 with a scale for each output channel, biases int32: the
format that ONNX Runtime and OpenVINO fuse into integer kernels. Where a ReLU follows, the range of the quantized output
begins at 0, so that the saturation of QuantizeLinear replaces it. Maxima are taken of quantized values, since
quantization is monotonic.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional

import numpy as np

from gluon_cbam.export.onnx.graph import Node, OnnxGraph

from .calibration import QuantizationParameters

_MIN_CHANNELS = 8  # output channels from which a convolution is faster in int8; spatial gates have one
_MIN_DENSE_WEIGHTS = 1 << 12  # weights from which a dense layer is faster in int8 at small batches
_GATES = {'Sigmoid': QuantizationParameters.of_range(0.0, 1.0)}  # operators whose range is known


class QuantizedTensor(NamedTuple):
    """A uint8 value of the graph.

    Attributes:
        name: the name of the value.
        parameters: its scale and zero point.
    """

    name: str
    parameters: QuantizationParameters


def values_to_calibrate(graph: OnnxGraph, attention: bool) -> List[str]:
    """The float values whose quantization parameters :func:`insert_qdq` needs, sorted.

    Args:
        graph: a graph in float32.
        attention: see :func:`insert_qdq`.
    """
    asked: Dict[str, QuantizationParameters] = defaultdict(lambda: QuantizationParameters(1.0, 0))
    _QdqWriter(graph, asked, attention).write()
    return sorted(asked)


def insert_qdq(graph: OnnxGraph, parameters: Mapping[str, QuantizationParameters], attention: bool) -> OnnxGraph:
    """Quantize a float32 graph.

    Args:
        graph: a graph in float32, with BatchNormalization folded where that is possible.
        parameters: the parameters of the values of :func:`values_to_calibrate`.
        attention: whether the operators that scale feature maps by attention, and the maxima and means of such maps,
            are quantized too.

    Returns:
        A new graph.
    """
    return _QdqWriter(graph, parameters, attention).write()


class _QdqWriter:
    """Writes the quantized graph node by node, and maps each value to its quantized and its float tensor."""

    def __init__(self, graph: OnnxGraph, parameters: Mapping[str, QuantizationParameters], attention: bool) -> None:
        self._source, self._parameters, self._attention = graph, parameters, attention
        self._made = replace(
            graph, nodes=[], constants=dict(graph.constants), outputs=[], shapes=dict(graph.shapes), of_batch=[]
        )
        self._consumers, self._producers = graph.consumers(), graph.producers()
        self._quantized: Dict[str, QuantizedTensor] = {}  # value -> its uint8 tensor
        self._floats: Dict[str, str] = {}  # value -> its float tensor, if that has another name
        self._constant_pairs = 0

    def write(self) -> OnnxGraph:
        for node in self._source.nodes:
            if node.output not in self._floats and node.output not in self._quantized:
                self._rule(node)(node)
        self._made.outputs = [self._float(name) for name in self._source.outputs]
        self._made.prune()
        return self._made

    def _rule(self, node: Node) -> Callable[[Node], None]:
        """The action of the first row whose condition a node satisfies."""
        rows = (
            (('Conv', 'Gemm'), self._is_large_linear, self._write_linear),
            (('Add',), self._is_quantized_map, self._write_elementwise),
            (('MaxPool', 'Flatten'), self._is_quantized, self._write_monotonic),
            (('Mul',), self._is_attention, self._write_elementwise),
            (('GlobalMaxPool',), self._is_attention_of_known_size, self._write_global_max_pool),
            (('GlobalAveragePool',), self._is_attention, self._write_elementwise),
            (('ReduceMax',), self._is_attention, self._write_monotonic),
            (('ReduceMean',), self._is_channel_mean, self._write_channel_mean),
        )
        return next((action for ops, applies, action in rows if node.op in ops and applies(node)), self._write_float)

    # conditions

    def _is_large_linear(self, node: Node) -> bool:
        weight = self._source.constants.get(node.inputs[1])
        if weight is None:
            return False
        return weight.size >= _MIN_DENSE_WEIGHTS if node.op == 'Gemm' else weight.shape[0] >= _MIN_CHANNELS

    def _is_quantized(self, node: Node) -> bool:
        return node.inputs[0] in self._quantized

    def _is_quantized_map(self, node: Node) -> bool:
        """Whether the output is a feature map, an input of its shape is quantized, and no input is a constant."""
        shape = self._source.shapes.get(node.output, ())
        maps = [name for name in node.inputs if name in self._quantized and self._source.shapes.get(name) == shape]
        constants = [name for name in node.inputs if name in self._source.constants]
        return len(shape) == 4 and bool(maps) and not constants

    def _is_attention(self, node: Node) -> bool:
        return self._attention and (self._is_quantized_map(node) if node.op == 'Mul' else self._is_quantized(node))

    def _is_attention_of_known_size(self, node: Node) -> bool:
        return self._is_attention(node) and bool(self._source.fixed_shape(node.inputs[0]))

    def _is_channel_mean(self, node: Node) -> bool:
        return self._is_attention(node) and node.attributes['axes'] == [1]

    # actions

    def _write_float(self, node: Node) -> None:
        inputs = [self._float(name) for name in node.inputs]
        self._made.nodes.append(Node(node.op, inputs, node.outputs, node.attributes))

    def _write_linear(self, node: Node) -> None:
        """A convolution or dense layer, and the ReLU after it."""
        data = self._quantize(node.inputs[0])
        weight = self._source.constants[node.inputs[1]]
        scale = np.abs(weight.reshape(len(weight), -1)).max(axis=1) / 127
        scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
        quantized = np.rint(weight / scale.reshape((-1,) + (1,) * (weight.ndim - 1))).astype(np.int8)
        inputs = [self._dequantize(data), self._constant_pair(node.inputs[1], quantized, scale)]
        if len(node.inputs) > 2:
            steps = np.asarray(data.parameters.scale * scale, np.float32)  # of the int32 sum of products
            bias = np.rint(self._source.constants[node.inputs[2]].astype(np.float64) / steps)
            bias = np.clip(bias, -(2**31), 2**31 - 1).astype(np.int32)
            inputs.append(self._constant_pair(node.inputs[2], bias, steps))
        self._quantize_output(Node(node.op, inputs, node.outputs, node.attributes))

    def _write_elementwise(self, node: Node) -> None:
        inputs = [self._dequantize(self._quantize(name)) for name in node.inputs]
        self._quantize_output(Node(node.op, inputs, node.outputs, node.attributes))

    def _write_monotonic(self, node: Node) -> None:
        """An operator that keeps the order of values runs on the quantized ones."""
        data = self._quantized[node.inputs[0]]
        made = Node(node.op, [data.name], [_quantized_name(node.output)], node.attributes)
        self._made.nodes.append(made)
        self._quantized[node.output] = QuantizedTensor(made.output, data.parameters)

    def _write_global_max_pool(self, node: Node) -> None:
        """Pooling with a kernel of the map's size.

        ONNX Runtime's integer reductions are slow over axes that are not the last ones in its blocked layout.
        """
        size = self._source.fixed_shape(node.inputs[0])[2:]
        self._write_monotonic(Node('MaxPool', node.inputs, node.outputs, {'kernel_shape': list(size)}))

    def _write_channel_mean(self, node: Node) -> None:
        """The mean over channels, as a 1 x 1 convolution."""
        channels = self._source.channels(node.inputs[0])
        weight = np.full((1, channels, 1, 1), 1 / channels, np.float32)
        name = self._source.constant(f'{node.output}/weight', weight)
        self._write_linear(Node('Conv', [node.inputs[0], name], node.outputs, {'kernel_shape': [1, 1]}))

    # quantized and float tensors of a value

    def _quantize_output(self, node: Node) -> None:
        """Add a node and quantize its output, with the range of the ReLU after it if there is one."""
        self._made.nodes.append(node)
        relu = self._relu_after(node.output)
        value = relu.output if relu else node.output
        self._quantized[value] = self._add_quantize(node.output, value, self._parameters[value])

    def _relu_after(self, value: str) -> Optional[Node]:
        consumers = self._consumers.get(value, [])
        consumer = consumers[0] if len(consumers) == 1 else None
        return consumer if consumer is not None and consumer.op == 'Relu' else None

    def _quantize(self, value: str) -> QuantizedTensor:
        """The quantized tensor of a value."""
        if value not in self._quantized:
            producer = self._producers.get(value)
            known = _GATES.get(producer.op) if producer else None
            self._quantized[value] = self._add_quantize(self._float(value), value, known or self._parameters[value])
        return self._quantized[value]

    def _add_quantize(self, source: str, value: str, parameters: QuantizationParameters) -> QuantizedTensor:
        node = Node('QuantizeLinear', [source, *self._parameter_constants(value, parameters)], [_quantized_name(value)])
        self._made.nodes.append(node)
        return QuantizedTensor(node.output, parameters)

    def _dequantize(self, data: QuantizedTensor) -> str:
        """Add a float tensor for one consumer: engines fuse a QDQ pair only if it has a single consumer."""
        count = sum(node.op == 'DequantizeLinear' and node.inputs[0] == data.name for node in self._made.nodes)
        output = f'{data.name}/float{count}'
        constants = self._parameter_constants(data.name, data.parameters)
        self._made.nodes.append(Node('DequantizeLinear', [data.name, *constants], [output]))
        return output

    def _float(self, value: str) -> str:
        """The float tensor of a value."""
        if value in self._quantized and value not in self._floats:
            self._floats[value] = self._dequantize(self._quantized[value])
        return self._floats.get(value, value)

    def _parameter_constants(self, value: str, parameters: QuantizationParameters) -> List[str]:
        """Names of the scale and the zero point of a value."""
        scale, zero_point = f'{value}/scale', f'{value}/zero'
        self._made.constants[scale] = np.asarray(parameters.scale, np.float32)
        self._made.constants[zero_point] = np.asarray(parameters.zero_point, np.uint8)
        return [scale, zero_point]

    def _constant_pair(self, name: str, quantized: np.ndarray, scale: np.ndarray) -> str:
        """Add a quantized constant with a scale for each output channel; returns the name of its float tensor."""
        self._constant_pairs += 1
        base = f'{name}/{self._constant_pairs}'
        inputs = [_quantized_name(base), f'{base}/scale', f'{base}/zero']
        self._made.constants.update(zip(inputs, (quantized, scale, np.zeros(len(scale), quantized.dtype))))
        node = Node('DequantizeLinear', inputs, [f'{base}/float'], {'axis': 0})
        self._made.nodes.append(node)
        return node.output


def _quantized_name(value: str) -> str:
    """The name of a value's quantized tensor, the same as in files that were exported before."""
    return f'{value}/whole'

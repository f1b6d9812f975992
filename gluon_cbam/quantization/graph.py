"""Replaces the fused ops of attention by their int8 variants in a graph that MXNet has quantized.

MXNet keeps operators that it does not know in float32, between a ``_contrib_dequantize`` and a
``_contrib_quantize_v2``. Where these operators are the attention at the end of a residual block, they are replaced by
the operators that take and return quantized tensors. Graphs are read and written as MXNet's JSON.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

import mxnet as mx

_GLOBAL_POOL, _SCALE = '_cbam_global_pool', '_cbam_scale_channel_spatial_add_relu'
_CHANNEL_POOL = '_cbam_channel_pool_gated'
_FUSED_OPS = (_GLOBAL_POOL, '_cbam_channel_pool', '_cbam_scale')  # prefixes of the names of operators that read a map
_INT8 = {
    _GLOBAL_POOL: '_cbam_quantized_global_pool',
    f'{_CHANNEL_POOL}_max_mean': '_cbam_quantized_channel_pool_gated_max_mean',
    f'{_CHANNEL_POOL}_mean_max': '_cbam_quantized_channel_pool_gated_mean_max',
    _SCALE: '_cbam_quantized_scale',
}
"""Operator -> its int8 variant, in native/quantized_operators.cc."""

Entry = Tuple[int, int]
"""An output in a graph: the number of the node and the number of its output."""


class _Node(NamedTuple):
    """A node of a graph."""

    op: str
    name: str
    inputs: List[Entry]
    attrs: Dict[str, str]


def _read(symbol: mx.sym.Symbol) -> Tuple[List[_Node], List[Entry], List[Dict[str, Any]]]:
    """Return the nodes of a graph, its outputs, and the nodes as in the JSON."""
    written = json.loads(symbol.tojson())
    nodes = [
        _Node(node['op'], node['name'], [(i[0], i[1]) for i in node['inputs']], node.get('attrs', {}))
        for node in written['nodes']
    ]
    return nodes, [(head[0], head[1]) for head in written['heads']], written['nodes']


def excluded_names(symbol: mx.sym.Symbol) -> List[str]:
    """Find the operators that are not to be quantized: those that compute gates, and global pooling.

    Args:
        symbol: the graph that runs, after MXNet's fusion of convolutions.

    Returns:
        Their names, sorted.
    """
    nodes, _, _ = _read(symbol)
    names: Set[str] = set()
    for node in nodes:
        if node.op == 'Pooling' and node.attrs.get('global_pool') == 'True':
            names.add(node.name)
        elif node.op.startswith('_cbam_scale'):
            _collect_gates(nodes, node, names)
    return sorted(names)


def _collect_gates(nodes: List[_Node], scale: _Node, names: Set[str]) -> None:
    """Add the operators between the poolings of a map and the gates of a scale operator."""
    gates = sum(f'_{gate}' in scale.op for gate in ('channel', 'spatial'))
    waiting = [nodes[at] for at, _ in scale.inputs[1 : 1 + gates]]
    while waiting:
        node = waiting.pop()
        if node.op == 'null' or node.op.startswith(_FUSED_OPS) or node.name in names:
            continue
        names.add(node.name)
        waiting += [nodes[at] for at, _ in node.inputs]


def scale_outputs(symbol: mx.sym.Symbol) -> List[str]:
    """Find the outputs of the scale operators at the ends of residual blocks, whose largest values are needed.

    Args:
        symbol: the graph that runs, after MXNet's fusion of convolutions.

    Returns:
        Names of outputs, as a monitor of MXNet reports them.
    """
    return [f'{node.name}_output' for node in _read(symbol)[0] if node.op == _SCALE]


class _Rewriter:
    """Copies a graph node by node, with int8 variants of the attention where their inputs are quantized.

    Args:
        symbol: quantized and fused by MXNet.
        limits: the largest value of each scale operator, by the name of its output.
    """

    def __init__(self, symbol: mx.sym.Symbol, limits: Dict[str, float]) -> None:
        self._old, self._heads, self._written = _read(symbol)
        self._limits = limits
        self._new: List[Dict[str, Any]] = []
        self._copied: Dict[int, int] = {}  # old node -> its copy in the new graph
        self._replaced: Dict[Entry, Entry] = {}  # output of an old node that was replaced -> the new output
        self._quantized: Dict[
            Entry, List[Entry]
        ] = {}  # output of an old node -> new (integers, min, max) of its values
        self.parameters: Dict[str, float] = {}

    def run(self) -> mx.sym.Symbol:
        """Write the new graph; :attr:`parameters` are then the values of its new arguments."""
        rules: Dict[str, Callable[[int, _Node], bool]] = {
            '_contrib_dequantize': self._dequantize,
            '_contrib_quantize_v2': self._quantize,
            _GLOBAL_POOL: self._global_pool,
            f'{_CHANNEL_POOL}_max_mean': self._channel_pool,
            f'{_CHANNEL_POOL}_mean_max': self._channel_pool,
            _SCALE: self._scale,
        }
        for number, node in enumerate(self._old):
            rule = rules.get(node.op)
            if rule is None or not rule(number, node):
                self._copy(number, node)
        heads = [[*self._as_float32(entry), 0] for entry in self._heads]
        graph = {
            'nodes': self._new,
            'arg_nodes': [number for number, node in enumerate(self._new) if node['op'] == 'null'],
            'node_row_ptr': list(range(len(self._new) + 1)),
            'heads': heads,
            'attrs': {'mxnet_version': ['int', 10901]},
        }
        return mx.sym.load_json(json.dumps(graph))

    def _add(self, op: str, name: str, inputs: List[Entry], attrs: Optional[Dict[str, str]] = None, **rest: Any) -> int:
        node: Dict[str, Any] = {'op': op, 'name': name, 'inputs': [[*entry, 0] for entry in inputs], **rest}
        if attrs:
            node['attrs'] = attrs
        self._new.append(node)
        return len(self._new) - 1

    def _copy(self, number: int, node: _Node) -> None:
        rest = {key: value for key, value in self._written[number].items() if key == 'subgraphs'}
        inputs = [self._as_float32(entry) for entry in node.inputs]
        self._copied[number] = self._add(node.op, node.name, inputs, node.attrs, **rest)

    def _as_float32(self, entry: Entry) -> Entry:
        """The new output for an old one; quantized tensors are dequantized for operators that need float32."""
        if entry[0] in self._copied:
            return self._copied[entry[0]], entry[1]
        if entry not in self._replaced:
            name = f'{self._old[entry[0]].name}_floats'
            number = self._add('_contrib_dequantize', name, self._quantized[entry], {'out_type': 'float32'})
            self._replaced[entry] = number, 0
        return self._replaced[entry]

    def _dequantize(self, number: int, node: _Node) -> bool:
        self._quantized[number, 0] = [self._as_float32(entry) for entry in node.inputs]
        return True

    def _quantize(self, number: int, node: _Node) -> bool:
        tensor = self._quantized.get(node.inputs[0])
        if tensor is None or self._old[node.inputs[0][0]].op != _SCALE:
            return False
        self._replaced.update({(number, output): entry for output, entry in enumerate(tensor)})
        return True

    def _global_pool(self, number: int, node: _Node) -> bool:
        tensor = self._quantized.get(node.inputs[0])
        if tensor is None or not self._is_signed(node.inputs[0]):
            return False
        new = self._add(_INT8[node.op], node.name, tensor)
        self._replaced.update({(number, 0): (new, 0), (number, 1): (new, 1)})
        self._quantized[number, 2] = tensor
        return True

    def _is_signed(self, entry: Entry) -> bool:
        """Whether integers are signed, as a convolution gives them; MXNet uses unsigned ones if no value is below 0."""
        node = self._old[entry[0]]
        source = self._old[node.inputs[0][0]]
        return node.op == '_contrib_dequantize' and float(source.attrs.get('min_calib_range', -1)) < 0

    def _channel_pool(self, number: int, node: _Node) -> bool:
        tensor = self._quantized.get(node.inputs[0])
        if tensor is None:
            return False
        new = self._add(_INT8[node.op], node.name, [*tensor, self._as_float32(node.inputs[1])])
        self._replaced[number, 0] = new, 0
        self._quantized[number, 1] = tensor
        return True

    def _scale(self, number: int, node: _Node) -> bool:
        tensor, shortcut = (self._quantized.get(node.inputs[at]) for at in (0, 3))
        if tensor is None or shortcut is None:
            return False
        name = f'{node.name}_limit'
        self.parameters[name] = self._limits[f'{node.name}_output']
        limit = self._add('null', name, []), 0
        gates = [self._as_float32(entry) for entry in node.inputs[1:3]]
        new = self._add(_INT8[node.op], node.name, [*tensor, *gates, *shortcut, limit])
        self._quantized[number, 0] = [(new, output) for output in range(3)]
        return True


def with_int8_attention(symbol: mx.sym.Symbol, limits: Dict[str, float]) -> Tuple[mx.sym.Symbol, Dict[str, float]]:
    """Replace the fused ops of attention by their int8 variants.

    Args:
        symbol: quantized and fused by MXNet.
        limits: the largest value of each scale operator's output, by the output's name.

    Returns:
        The new graph, and the values of its new arguments, (1,) each.
    """
    rewriter = _Rewriter(symbol, limits)
    return rewriter.run(), rewriter.parameters

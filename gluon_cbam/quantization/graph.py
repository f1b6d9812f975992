"""What quantization does to the graph of a network, as MXNet writes it in JSON.

MXNet's own pass leaves operators that it does not know in floats, between a ``_contrib_dequantize`` and a
``_contrib_quantize_v2``. Where these operators are the attention at the end of a residual block, they are replaced by
those that take and give integers.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

import mxnet as mx

_POOL, _SCALE = '_cbam_pool', '_cbam_scale_channel_spatial_add_relu'
_DESCRIBE = '_cbam_describe_gated'
_PASSES = (_POOL, '_cbam_describe', '_cbam_scale')  # beginnings of the names of those over the whole map
_QUANTIZED = {'pool': '_cbam_quantized_pool', 'scale': '_cbam_quantized_scale'}
Entry = Tuple[int, int]


class _Node(NamedTuple):
    """A node of a graph, its inputs as (node, output)."""

    op: str
    name: str
    inputs: List[Entry]
    attrs: Dict[str, str]


def _read(symbol: mx.sym.Symbol) -> Tuple[List[_Node], List[Entry], List[Dict[str, Any]]]:
    """The nodes, the outputs, and the nodes as they were written."""
    written = json.loads(symbol.tojson())
    nodes = [
        _Node(node['op'], node['name'], [(i[0], i[1]) for i in node['inputs']], node.get('attrs', {}))
        for node in written['nodes']
    ]
    return nodes, [(head[0], head[1]) for head in written['heads']], written['nodes']


def kept_in_floats(symbol: mx.sym.Symbol) -> List[str]:
    """The names of the operators that are not to be quantized: what makes gates, and pooling over whole maps.

    Args:
        symbol: the graph that runs, after MXNet's fusion of convolutions.
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
    """Add the operators between the passes over the map and the gates of a scale operator."""
    gates = sum(f'_{gate}' in scale.op for gate in ('channel', 'spatial'))
    waiting = [nodes[at] for at, _ in scale.inputs[1 : 1 + gates]]
    while waiting:
        node = waiting.pop()
        if node.op == 'null' or node.op.startswith(_PASSES) or node.name in names:
            continue
        names.add(node.name)
        waiting += [nodes[at] for at, _ in node.inputs]


def last_scales(symbol: mx.sym.Symbol) -> List[str]:
    """The outputs of all scale operators, whose largest values are to be known."""
    return [f'{node.name}_output' for node in _read(symbol)[0] if node.op == _SCALE]


class _Rewriter:
    """Copies a graph node by node, replacing attention in floats by attention in integers.

    Args:
        symbol: quantized and fused by MXNet.
        limits: the largest value of each scale operator, by its output's name.
    """

    def __init__(self, symbol: mx.sym.Symbol, limits: Dict[str, float]):
        self._old, self._heads, self._written = _read(symbol)
        self._limits = limits
        self._new: List[Dict[str, Any]] = []
        self._copied: Dict[int, int] = {}  # an old node -> the same one in the new graph
        self._at: Dict[Entry, Entry] = {}  # output of an old node that was replaced -> what it is now
        self._integers: Dict[Entry, List[Entry]] = {}  # output of an old node -> new (integers, min, max) of its values
        self.parameters: Dict[str, float] = {}

    def run(self) -> mx.sym.Symbol:
        """The new graph; :attr:`parameters` are the values of its new arguments."""
        rules = {'_contrib_dequantize': self._dequantize, '_contrib_quantize_v2': self._quantize}
        rules.update({_POOL: self._pool, _SCALE: self._scale})
        for number, node in enumerate(self._old):
            rule = self._describe if node.op.startswith(_DESCRIBE) else rules.get(node.op)
            if rule is None or not rule(number, node):
                self._copy(number, node)
        heads = [[*self._floats(entry), 0] for entry in self._heads]
        graph = {
            'nodes': self._new,
            'arg_nodes': [at for at, node in enumerate(self._new) if node['op'] == 'null'],
            'node_row_ptr': list(range(len(self._new) + 1)),
            'heads': heads,
            'attrs': {'mxnet_version': ['int', 10901]},
        }
        return mx.sym.load_json(json.dumps(graph))

    def _add(self, op: str, name: str, inputs: List[Entry], attrs: Optional[Dict[str, str]] = None, **rest) -> int:
        node = {'op': op, 'name': name, 'inputs': [[*entry, 0] for entry in inputs], **rest}
        if attrs:
            node['attrs'] = attrs
        self._new.append(node)
        return len(self._new) - 1

    def _copy(self, number: int, node: _Node) -> None:
        rest = {key: value for key, value in self._written[number].items() if key == 'subgraphs'}
        at = self._add(node.op, node.name, [self._floats(entry) for entry in node.inputs], node.attrs, **rest)
        self._copied[number] = at

    def _floats(self, entry: Entry) -> Entry:
        """The new output for an old one; integers are turned into floats for those who want them so."""
        if entry[0] in self._copied:
            return self._copied[entry[0]], entry[1]
        if entry not in self._at:
            name = f'{self._old[entry[0]].name}_floats'
            at = self._add('_contrib_dequantize', name, self._integers[entry], {'out_type': 'float32'})
            self._at[entry] = at, 0
        return self._at[entry]

    def _dequantize(self, number: int, node: _Node) -> bool:
        self._integers[number, 0] = [self._floats(entry) for entry in node.inputs]
        return True

    def _quantize(self, number: int, node: _Node) -> bool:
        integers = self._integers.get(node.inputs[0])
        if integers is None or self._old[node.inputs[0][0]].op != _SCALE:
            return False
        self._at.update({(number, output): entry for output, entry in enumerate(integers)})
        return True

    def _pool(self, number: int, node: _Node) -> bool:
        integers = self._integers.get(node.inputs[0])
        if integers is None or not self._has_signs(node.inputs[0]):
            return False
        at = self._add(_QUANTIZED['pool'], node.name, integers)
        self._at.update({(number, 0): (at, 0), (number, 1): (at, 1)})
        self._integers[number, 2] = integers
        return True

    def _has_signs(self, entry: Entry) -> bool:
        """Whether integers are signed, as a convolution gives them; MXNet takes others where no value is below 0."""
        node = self._old[entry[0]]
        source = self._old[node.inputs[0][0]]
        return node.op == '_contrib_dequantize' and float(source.attrs.get('min_calib_range', -1)) < 0

    def _describe(self, number: int, node: _Node) -> bool:
        integers = self._integers.get(node.inputs[0])
        if integers is None:
            return False
        op = node.op.replace('_cbam_', '_cbam_quantized_', 1)
        at = self._add(op, node.name, [*integers, self._floats(node.inputs[1])])
        self._at[number, 0] = at, 0
        self._integers[number, 1] = integers
        return True

    def _scale(self, number: int, node: _Node) -> bool:
        own, shortcut = (self._integers.get(node.inputs[at]) for at in (0, 3))
        if own is None or shortcut is None:
            return False
        name = f'{node.name}_limit'
        self.parameters[name] = self._limits[f'{node.name}_output']
        limit = self._add('null', name, []), 0
        gates = [self._floats(entry) for entry in node.inputs[1:3]]
        at = self._add(_QUANTIZED['scale'], node.name, [*own, *gates, *shortcut, limit])
        self._integers[number, 0] = [(at, output) for output in range(3)]
        return True


def with_attention_in_integers(
    symbol: mx.sym.Symbol, limits: Dict[str, float]
) -> Tuple[mx.sym.Symbol, Dict[str, float]]:
    """Replace attention in floats by attention in integers.

    Args:
        symbol: quantized and fused by MXNet.
        limits: the largest value of each scale operator's output, by its name.

    Returns:
        The new graph, and the values of its new arguments, (1,) each.
    """
    rewriter = _Rewriter(symbol, limits)
    return rewriter.run(), rewriter.parameters

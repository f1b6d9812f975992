"""Write the symbol of a network under the names of a source, so that checkpoints of the source bind to it."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional

import mxnet as mx

from gluon_cbam.ops.tracing import export_symbol

from .writing import their_names

_NAMING = ('_weight', '_gamma')  # inputs whose names begin with the name of their operator
_Node = Dict[str, Any]  # of the JSON of a symbol


def to_symbol(net: mx.gluon.HybridBlock, source: str) -> mx.sym.Symbol:
    """Return the symbol of a network; variables and the operators that own them have the names of the source.

    Variables do not keep the shapes, multipliers and weight initializers that Gluon writes into them: the symbol fits
    any input size that the network fits, and a training of the symbol has to initialize the weights.

    Args:
        net: the network, initialized or not.
        source: see :func:`.load_arrays`.

    Returns:
        The symbol, whose input is called ``data``.

    Raises:
        UsageError: unknown source, or one that has no such network.
    """
    ours = net._collect_params_with_prefix()
    names = {ours[name].name: theirs for name, theirs in their_names(net, source).items()}
    graph = json.loads(export_symbol(net, mx.sym.Variable('data')).tojson())
    nodes = graph['nodes']
    for node in nodes:
        if node['op'] == 'null':
            node['attrs'] = _kept(node, names)
            node['name'] = names.get(node['name'], node['name'])
    for node in nodes:
        owner = _owner(node, nodes) if node['op'] != 'null' else None
        node['name'] = owner or node['name']
    return mx.sym.load_json(json.dumps(graph))


def _kept(node: _Node, names: Mapping[str, str]) -> Dict[str, str]:
    """The attributes that a variable keeps."""
    attributes = node.get('attrs', {})
    if names.get(node['name'], '').endswith('_weight'):
        return {}
    return {key: value for key, value in attributes.items() if key == '__init__'}


def _owner(node: _Node, nodes: List[_Node]) -> Optional[str]:
    """The name of an operator that the name of its first parameter implies, or None."""
    for index, *_ in node['inputs']:
        name = nodes[index]['name']
        if nodes[index]['op'] == 'null' and name.endswith(_NAMING):
            return name[: name.rindex('_')]
    return None

"""A network's symbol under its source's own names, so that the source's checkpoints bind to it."""

from __future__ import annotations

import json
from typing import Dict

import mxnet as mx

from gluon_cbam.ops.tracing import export_symbol

from .writing import their_names

_NAMING = ('_weight', '_gamma')  # the inputs that carry the name of their operator


def to_symbol(net: mx.gluon.HybridBlock, source: str) -> mx.sym.Symbol:
    """The symbol of a network, its variables and the operators that own them named as the source names them.

    Variables lose the shapes, multipliers and weight initializers that Gluon writes into them: the symbol fits any
    input size that the network fits, and whoever trains it initialises the weights.

    Args:
        net: the network, initialised or not.
        source: as of :func:`.load_arrays`.

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


def _kept(node, names) -> Dict[str, str]:
    attributes = node.get('attrs', {})
    if names.get(node['name'], '').endswith('_weight'):
        return {}
    return {key: value for key, value in attributes.items() if key == '__init__'}


def _owner(node, nodes):
    """The name that an operator's first parameter implies, or None."""
    for index, *_ in node['inputs']:
        name = nodes[index]['name']
        if nodes[index]['op'] == 'null' and name.endswith(_NAMING):
            return name[: name.rindex('_')]
    return None

"""Check the graph in the JSON of a symbol, before MXNet loads it, which does not and may die."""

from __future__ import annotations

from typing import Any, Dict, List

from gluon_cbam.common.damage import Damaged
from gluon_cbam.common.quoting import shown

_Node = Dict[str, Any]
_OUTPUTS = {'BatchNorm': 3, 'LayerNorm': 3, 'GroupNorm': 3, 'InstanceNorm': 3, 'Dropout': 2, 'topk': 2}
"""Outputs of the operators that have more than one."""


def check_graph(graph: Any) -> None:
    """Check that every number in a graph names a node and an output that exist.

    Args:
        graph: the JSON of a symbol, parsed.

    Raises:
        Damaged: it is no graph, or a number in it names nothing.
    """
    nodes = graph.get('nodes') if isinstance(graph, dict) else None
    if not isinstance(nodes, list) or not nodes:
        raise Damaged('it holds no graph')
    for number, node in enumerate(nodes):
        if not isinstance(node, dict) or not all(isinstance(node.get(key), str) for key in ('op', 'name')):
            raise Damaged(f'node {number} is {shown(node)}')
        _check_entries(node.get('inputs'), nodes[:number], f'an input of node {shown(node["name"])}')
        if node['op'] == 'null' and node['inputs']:
            raise Damaged(f'the variable {shown(node["name"])} has inputs')
    _check_entries(graph.get('heads'), nodes, 'an output of the graph')
    variables = [number for number, node in enumerate(nodes) if node['op'] == 'null']
    if graph.get('arg_nodes') != variables:
        raise Damaged('its list of variables does not fit its nodes')


def _check_entries(entries: Any, nodes: List[_Node], what: str) -> None:
    """Check references to outputs of nodes: [node, output, version]."""
    if not isinstance(entries, list):
        raise Damaged(f'{what} is {shown(entries)}')
    for entry in entries:
        if not isinstance(entry, list) or len(entry) not in (2, 3) or not all(type(number) is int for number in entry):
            raise Damaged(f'{what} is {shown(entry)}')
        node, output = entry[:2]
        if not 0 <= node < len(nodes) or not 0 <= output < _outputs(nodes[node]) or entry[2:] not in ([], [0], [1]):
            raise Damaged(f'{what} is {shown(entry)}, which does not exist')


def _outputs(node: _Node) -> int:
    """The number of outputs of a node."""
    stated = (node.get('attrs') or {}).get('num_outputs') if isinstance(node.get('attrs'), dict) else None
    if isinstance(stated, str) and stated.isdigit() and len(stated) < 4:
        return int(stated)
    return _OUTPUTS.get(node['op'], 1)

"""Fuses the convolutions of a graph for inference with the operators that follow them.

Graphs are read and written as MXNet's JSON, so that a fused graph does not depend on how blocks are written.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import mxnet as mx

from .library import CONVOLUTION, FUSED_CONVOLUTION, PREFIX

_CONVOLUTIONS = ('Convolution', PREFIX + CONVOLUTION)
_PRELU = f'{PREFIX}prelu'
_ADDITIONS = ('elemwise_add', '_Plus', '_plus')

_Entry = Tuple[int, int]
"""An output in a graph: the number of the node and the number of its output."""
_Node = Dict[str, Any]


class _Chain(NamedTuple):
    """A convolution, the BatchNorm after it, and what else becomes one operator with them.

    Attributes:
        nodes: numbers of the nodes, in their order.
        shortcut: what is added before the activation.
        activation: ``none``, ``relu`` or ``prelu``.
        slopes: of PReLU.
    """

    nodes: List[int]
    shortcut: Optional[_Entry] = None
    activation: str = 'none'
    slopes: Optional[_Entry] = None


def fuse_convolutions(symbol: mx.sym.Symbol) -> Optional[mx.sym.Symbol]:
    """Fuse convolutions with BatchNorm, the addition of a shortcut, and ReLU or PReLU.

    Where a convolution's only use is BatchNorm over channels, they become one compiled operator, together with
    an addition and an activation that are the only use of the one before.

    Args:
        symbol: a graph.

    Returns:
        A graph of the same inputs, whose outputs outside training are the same up to rounding; None if there is
        nothing to fuse.
    """
    written = json.loads(symbol.tojson())
    chains = _Finder(written).chains()
    return mx.sym.load_json(json.dumps(_rewrite(written, chains))) if chains else None


class _Finder:
    """Finds what to fuse in a graph, given as in MXNet's JSON."""

    def __init__(self, written: Dict[str, Any]) -> None:
        self._nodes: List[_Node] = written['nodes']
        self._uses = Counter((at, output) for at, output, _ in written['heads'])
        self._users: Dict[_Entry, int] = {}
        for number, node in enumerate(self._nodes):
            for at, output, _ in node['inputs']:
                self._uses[at, output] += 1
                self._users[at, output] = number
        self._taken: List[int] = []  # additions that are part of a chain

    def chains(self) -> List[_Chain]:
        """All chains."""
        norms = (number for number, node in enumerate(self._nodes) if node['op'] == 'BatchNorm')
        found = (self._chain(number) for number in norms)
        return [chain for chain in found if chain is not None]

    def _chain(self, norm: int) -> Optional[_Chain]:
        at = self._nodes[norm]['inputs'][0][0]
        if not (self._is_convolution(at) and self._only_user(at) == norm and self._is_plain_norm(norm)):
            return None
        chain, user = _Chain([at, norm]), self._only_user(norm)
        if user is not None and self._nodes[user]['op'] in _ADDITIONS and user not in self._taken:
            operands = [(entry[0], entry[1]) for entry in self._nodes[user]['inputs']]
            (shortcut,) = [entry for entry in operands if entry != (norm, 0)]
            self._taken.append(user)
            chain = chain._replace(nodes=[*chain.nodes, user], shortcut=shortcut)
            user = self._only_user(user)
        activation = None if user is None else self._activation(user)
        if user is None or activation is None:
            return chain
        slopes = self._nodes[user]['inputs'][1] if activation == 'prelu' else None
        return chain._replace(
            nodes=[*chain.nodes, user], activation=activation, slopes=None if slopes is None else (slopes[0], slopes[1])
        )

    def _only_user(self, number: int) -> Optional[int]:
        """The node that uses the first output of a node, if it is the only use."""
        return self._users.get((number, 0)) if self._uses[number, 0] == 1 else None

    def _is_convolution(self, number: int) -> bool:
        node = self._nodes[number]
        attributes = node.get('attrs', {})
        is_flat = attributes.get('kernel', '').count(',') == 1
        return node['op'] in _CONVOLUTIONS and is_flat and attributes.get('layout', 'None') in ('None', 'NCHW')

    def _is_plain_norm(self, number: int) -> bool:
        """Whether BatchNorm is over channels, and only its first output is used."""
        attributes = self._nodes[number].get('attrs', {})
        others = any(self._uses[number, output] for output in (1, 2))
        return not others and attributes.get('axis', '1') == '1' and 'eps' in attributes

    def _activation(self, number: int) -> Optional[str]:
        node = self._nodes[number]
        if node['op'] == 'Activation' and node['attrs'].get('act_type') == 'relu':
            return 'relu'
        return 'prelu' if node['op'] == _PRELU else None


def _rewrite(written: Dict[str, Any], chains: List[_Chain]) -> Dict[str, Any]:
    """A graph with one node in the place of the last node of each chain."""
    old: List[_Node] = written['nodes']
    ends = {chain.nodes[-1]: chain for chain in chains}
    left_out = {number for chain in chains for number in chain.nodes[:-1]}
    new: List[_Node] = []
    moved: Dict[int, int] = {}
    for number, node in enumerate(old):
        if number in left_out:
            continue
        made = _fused_node(old, ends[number]) if number in ends else dict(node)
        made['inputs'] = [[moved[entry[0]], *entry[1:]] for entry in made['inputs']]
        moved[number] = len(new)
        new.append(made)
    return {
        **written,
        'nodes': new,
        'arg_nodes': [number for number, node in enumerate(new) if node['op'] == 'null'],
        'node_row_ptr': list(range(len(new) + 1)),
        'heads': [[moved[head[0]], *head[1:]] for head in written['heads']],
    }


def _fused_node(old: List[_Node], chain: _Chain) -> _Node:
    """The node of the compiled operator, see native/fused_convolution_operators.cc, with old numbers of inputs."""
    convolution, norm = old[chain.nodes[0]], old[chain.nodes[1]]
    more = [[*entry, 0] for entry in (chain.slopes, chain.shortcut) if entry is not None]
    settings = {
        '__scale__': str(norm['attrs'].get('fix_gamma', 'True') != 'True'),
        '__eps__': norm['attrs']['eps'],
        '__act__': chain.activation,
        '__add__': str(chain.shortcut is not None),
    }
    return {
        'op': PREFIX + FUSED_CONVOLUTION,
        'name': old[chain.nodes[-1]]['name'],
        'attrs': {**convolution['attrs'], **settings},
        'inputs': [*convolution['inputs'], *norm['inputs'][1:], *more],
    }

"""Parameters and multiply-adds of a network, counted on its graph.

Multiply-adds are those of convolutions and dense layers, as in the tables of the CBAM paper: the shared MLP of a
channel gate counts once for each pool type; pooling, activations and scaling are not counted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, Iterator, Tuple, Type

import mxnet as mx
import numpy as np

from gluon_cbam.attention import ATTENTIONS, ModifiedCBAM
from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.ops.tracing import network_graph

_COUNTED: Tuple[Type[mx.gluon.HybridBlock], ...] = (*ATTENTIONS.values(), ModifiedCBAM)
"""The modules whose share is counted."""


@dataclass(frozen=True)
class Complexity:
    """Parameters and multiply-adds of a network.

    Attributes:
        parameters: trainable parameters: every argument of the graph. A gamma that its BatchNorm fixes at 1 counts, as
            in the tables of the sources; running statistics do not.
        macs: multiply-adds for one image.
        attention_parameters: the share of the attention modules in ``parameters``.
        attention_macs: the share of the attention modules in ``macs``.
    """

    parameters: int
    macs: int
    attention_parameters: int
    attention_macs: int

    def as_dict(self) -> Dict[str, int]:
        """The attributes by name."""
        return asdict(self)


def complexity(net: mx.gluon.HybridBlock, input_shape: Tuple[int, ...]) -> Complexity:
    """Count the parameters and multiply-adds of a network.

    Args:
        net: the network, initialized or not.
        input_shape: the shape of a batch, (N, C, H, W).

    Returns:
        The counts for one image.

    Raises:
        ValueError: the network does not take such an input.
    """
    if isinstance(net, CheckedBlock):
        net.check_input(input_shape)
    graph = network_graph(net)
    attention = tuple(block.prefix for block in _walk(net) if isinstance(block, _COUNTED))
    shapes = dict(zip(graph.list_arguments(), graph.infer_shape(data=input_shape)[0]))
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items() if name != 'data'}
    macs = _macs(graph, input_shape)
    return Complexity(
        parameters=sum(sizes.values()),
        macs=sum(macs.values()) // input_shape[0],
        attention_parameters=sum(size for name, size in sizes.items() if name.startswith(attention)),
        attention_macs=sum(count for name, count in macs.items() if name.startswith(attention)) // input_shape[0],
    )


def _walk(block: mx.gluon.Block) -> Iterator[mx.gluon.Block]:
    """A block and all blocks below it."""
    yield block
    for child in block._children.values():
        yield from _walk(child)


def _macs(graph: mx.sym.Symbol, input_shape: Tuple[int, ...]) -> Dict[str, int]:
    """Multiply-adds of one batch by operator name; a block that is called twice counts twice."""
    internals = graph.get_internals()
    _, shapes, _ = internals.infer_shape(data=input_shape)
    weights = dict(zip(internals.list_outputs(), shapes))
    counts: Dict[str, int] = {}
    for node, shape in zip(internals, shapes):
        if node.attr('num_filter') is None and node.attr('num_hidden') is None:
            continue
        weight = next(child.name for child in node.get_children() if child.name.endswith('weight'))
        counts[node.name] = counts.get(node.name, 0) + int(np.prod(shape)) * int(np.prod(weights[weight][1:]))
    return counts

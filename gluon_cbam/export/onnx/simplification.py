"""Graph optimizations for every engine and precision; results stay the same up to rounding.

Each pass is a function that changes a graph; :data:`SIMPLIFICATION_PASSES` is their order.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

import numpy as np

from .graph import Consumers, Node, OnnxGraph

_AFFINE = ('Mul', 'Add', 'Sub')
_LINEAR = ('Conv', 'Gemm')


def fold_batch_norms(graph: OnnxGraph) -> None:
    """Fold a BatchNormalization into the weights of the convolution or dense layer before it.

    It must be the only consumer of that layer's output.
    """
    producers, consumers = graph.producers(), graph.consumers()
    for norm in [node for node in graph.nodes if node.op == 'BatchNormalization']:
        before = producers.get(norm.inputs[0])
        if before is None or before.op not in _LINEAR or len(consumers[before.output]) > 1:
            continue
        gamma, beta, mean, variance = (graph.constants[name].astype(np.float64) for name in norm.inputs[1:])
        scale = gamma / np.sqrt(variance + norm.attributes['epsilon'])
        _scale_outputs(graph, before, scale, beta - mean * scale)
        graph.replace(norm.output, before.output)
        producers, consumers = graph.producers(), graph.consumers()
    graph.prune()


def _scale_outputs(graph: OnnxGraph, node: Node, scale: np.ndarray, shift: np.ndarray) -> None:
    """Change a linear operator with output y to output ``scale * y + shift``; both are (channels,)."""
    weight = graph.constants[node.inputs[1]]
    bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else 0.0
    column = scale.reshape((-1,) + (1,) * (weight.ndim - 1))
    node.inputs = [
        node.inputs[0],
        graph.constant(f'{node.inputs[1]}/folded', (weight * column).astype(np.float32)),
        graph.constant(f'{node.inputs[1]}/shift', (bias * scale + shift).astype(np.float32)),
    ]


def fold_input_scaling(graph: OnnxGraph) -> None:
    """Fold constant factors of a convolution's input into its weights; one addition is left.

    This takes the normalization of pixels into the first convolution. The padding's zeros are not changed by a factor,
    so only the addition has to stay before the convolution.
    """
    for conv in [node for node in graph.nodes if node.op == 'Conv' and node.attributes.get('group', 1) == 1]:
        source, scale, shift = _affine_before(graph, conv)
        if source is None:
            continue
        weight = graph.constants[conv.inputs[1]]
        channels = weight.shape[1]
        scale, shift = (np.broadcast_to(value, (1, channels, 1, 1)) for value in (scale, shift))
        if not scale.all():
            continue
        conv.inputs[1] = graph.constant(f'{conv.inputs[1]}/scaled', (weight * scale).astype(np.float32))
        conv.inputs[0] = source
        if shift.any():
            moved = graph.constant(f'{source}/shift', (shift / scale).astype(np.float32))
            added = Node('Add', [source, moved], [f'{source}/shifted'])
            graph.shapes[added.output] = graph.shapes[source]
            graph.nodes.insert(graph.nodes.index(conv), added)
            conv.inputs[0] = added.output
    graph.prune()


def _affine_before(graph: OnnxGraph, conv: Node) -> Tuple[Optional[str], np.ndarray, np.ndarray]:
    """(x, a, b) if a convolution alone takes a x + b, made by at least one multiplication; else (None, ...)."""
    producers, consumers = graph.producers(), graph.consumers()
    name, scale, shift, scaled = conv.inputs[0], np.ones(()), np.zeros(()), False
    while True:
        node = producers.get(name)
        if node is None or node.op not in _AFFINE or len(consumers[name]) > 1 or node.inputs[1] not in graph.constants:
            return (name, scale, shift) if scaled else (None, scale, shift)
        value = graph.constants[node.inputs[1]].astype(np.float64)
        if not _is_per_channel(value):
            return (name, scale, shift) if scaled else (None, scale, shift)
        if node.op == 'Mul':
            scale, scaled = scale * value, True
        else:
            shift = shift + scale * (value if node.op == 'Add' else -value)
        name = node.inputs[0]


def _is_per_channel(value: np.ndarray) -> bool:
    return value.size == 1 or (value.ndim == 4 and value.size == value.shape[1])


def merge_dense_sums(graph: OnnxGraph) -> None:
    """Run a dense layer whose outputs are added once, on the sum: ``W a + c + W b + c = W (a + b) + 2 c``.

    CBAM's shared MLP runs on several pooled vectors, and its outputs are added (equation 2 of arXiv 1807.06521v2).
    """
    changed = True
    while changed:
        changed = False
        producers, consumers = graph.producers(), graph.consumers()
        for node in [node for node in graph.nodes if node.op == 'Add']:
            first, second = (producers.get(name) for name in node.inputs)
            if first is None or second is None or not _can_merge(graph, consumers, first, second):
                continue
            _merge(graph, node, first, second)
            changed = True
            break
    graph.prune()


def _can_merge(graph: OnnxGraph, consumers: Consumers, first: Node, second: Node) -> bool:
    """Whether two nodes are dense layers of the same weights whose outputs have no other consumer."""
    alone = all(node.op == 'Gemm' and len(consumers[node.output]) == 1 for node in (first, second))
    same = first.inputs[1:2] == second.inputs[1:2] and first.attributes == second.attributes
    return alone and first is not second and same


def _merge(graph: OnnxGraph, total: Node, first: Node, second: Node) -> None:
    """Replace the addition ``total`` of two dense layers by ``Gemm(a + b)``."""
    bias = [graph.constants[node.inputs[2]] for node in (first, second) if len(node.inputs) > 2]
    added = Node('Add', [first.inputs[0], second.inputs[0]], [f'{total.output}/inputs'])
    graph.shapes[added.output] = graph.shapes[first.inputs[0]]
    dense = Node('Gemm', [added.output, first.inputs[1]], total.outputs, first.attributes)
    if bias:
        dense.inputs.append(graph.constant(f'{first.inputs[1]}/bias', np.asarray(sum(bias), np.float32)))
    place = graph.nodes.index(total)
    graph.nodes[place : place + 1] = [added, dense]


SIMPLIFICATION_PASSES: List[Callable[[OnnxGraph], None]] = [fold_batch_norms, fold_input_scaling, merge_dense_sums]
"""The passes in the order in which they run."""


def simplify(graph: OnnxGraph) -> None:
    """Run all passes that help every engine and precision.

    Args:
        graph: changed in place.
    """
    for run in SIMPLIFICATION_PASSES:
        run(graph)

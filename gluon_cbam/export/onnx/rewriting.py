"""Rewriting a graph of ONNX operators so that engines have less to do; the numbers stay, to rounding.

Each pass is a function that changes a graph; :data:`PASSES` is their order.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

import numpy as np

from .graph import Node, OnnxGraph

_AFFINE = ('Mul', 'Add', 'Sub')
_LINEAR = ('Conv', 'Gemm')


def fold_batch_norms(graph: OnnxGraph) -> None:
    """A BatchNormalization of what a convolution or a dense layer alone gives it becomes part of its weights."""
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
    """Let a linear operator give ``scale * y + shift``, a number a channel."""
    weight = graph.constants[node.inputs[1]]
    bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else 0.0
    column = scale.reshape((-1,) + (1,) * (weight.ndim - 1))
    node.inputs = [
        node.inputs[0],
        graph.constant(f'{node.inputs[1]}/folded', np.float32(weight * column)),
        graph.constant(f'{node.inputs[1]}/shift', np.float32(bias * scale + shift)),
    ]


def fold_normalisation(graph: OnnxGraph) -> None:
    """Constants that a convolution's input is multiplied by become part of its weights; one addition is left.

    Zeros of the padding stay zeros when they are scaled, so only the shift has to come before the convolution.
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
        conv.inputs[1] = graph.constant(f'{conv.inputs[1]}/scaled', np.float32(weight * scale))
        conv.inputs[0] = source
        if shift.any():
            moved = graph.constant(f'{source}/shift', np.float32(shift / scale))
            added = Node('Add', [source, moved], [f'{source}/shifted'])
            graph.shapes[added.output] = graph.shapes[source]
            graph.nodes.insert(graph.nodes.index(conv), added)
            conv.inputs[0] = added.output
    graph.prune()


def _affine_before(graph: OnnxGraph, conv: Node) -> Tuple[Optional[str], np.ndarray, np.ndarray]:
    """(x, a, b) when a convolution alone takes a x + b, made of at least one multiplication; (None, ...) when not."""
    producers, consumers = graph.producers(), graph.consumers()
    name, scale, shift, scaled = conv.inputs[0], np.ones(()), np.zeros(()), False
    while True:
        node = producers.get(name)
        if node is None or node.op not in _AFFINE or len(consumers[name]) > 1 or node.inputs[1] not in graph.constants:
            return (name, scale, shift) if scaled else (None, scale, shift)
        value = graph.constants[node.inputs[1]].astype(np.float64)
        if not _is_a_number_a_channel(value):
            return (name, scale, shift) if scaled else (None, scale, shift)
        if node.op == 'Mul':
            scale, scaled = scale * value, True
        else:
            shift = shift + scale * (value if node.op == 'Add' else -value)
        name = node.inputs[0]


def _is_a_number_a_channel(value: np.ndarray) -> bool:
    return value.size == 1 or (value.ndim == 4 and value.size == value.shape[1])


def add_before_dense(graph: OnnxGraph) -> None:
    """A sum of one dense layer's outputs becomes its output of a sum: ``W a + c + W b + c = W (a + b) + 2 c``.

    CBAM's shared MLP runs on several pooled vectors, and its outputs are added.
    """
    changed = True
    while changed:
        changed = False
        producers, consumers = graph.producers(), graph.consumers()
        for node in [node for node in graph.nodes if node.op == 'Add']:
            pair = [producers.get(name) for name in node.inputs]
            alone = all(each and each.op == 'Gemm' and len(consumers[each.output]) == 1 for each in pair)
            if not alone or not _same_weights(graph, *pair):
                continue
            _merge(graph, node, *pair)
            changed = True
            break
    graph.prune()


def _same_weights(graph: OnnxGraph, first: Node, second: Node) -> bool:
    return first is not second and first.inputs[1] == second.inputs[1] and first.attributes == second.attributes


def _merge(graph: OnnxGraph, total: Node, first: Node, second: Node) -> None:
    """Put ``Gemm(a + b)`` in the place of the addition ``total`` of two dense layers."""
    bias = [graph.constants[node.inputs[2]] for node in (first, second) if len(node.inputs) > 2]
    added = Node('Add', [first.inputs[0], second.inputs[0]], [f'{total.output}/inputs'])
    graph.shapes[added.output] = graph.shapes[first.inputs[0]]
    dense = Node('Gemm', [added.output, first.inputs[1]], total.outputs, first.attributes)
    if bias:
        dense.inputs.append(graph.constant(f'{first.inputs[1]}/bias', np.float32(sum(bias))))
    place = graph.nodes.index(total)
    graph.nodes[place : place + 1] = [added, dense]


PASSES: List[Callable[[OnnxGraph], None]] = [fold_batch_norms, fold_normalisation, add_before_dense]
"""In this order."""


def simplify(graph: OnnxGraph) -> None:
    """Fold what can be folded, for any engine and any precision."""
    for run in PASSES:
        run(graph)

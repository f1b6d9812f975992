"""Translation of a traced network to an ONNX graph."""

from __future__ import annotations

import json
from typing import Dict, Tuple

import mxnet as mx

from gluon_cbam.export.tracing import DATA, TracedNetwork

from .graph import OnnxGraph
from .operators import Call, translate


def to_onnx_graph(traced: TracedNetwork) -> OnnxGraph:
    """Translate a traced network, operator by operator.

    Args:
        traced: see :func:`gluon_cbam.export.tracing.trace`.

    Raises:
        DataError: an operator has no translation.
    """
    described = json.loads(traced.symbol.tojson())
    nodes, shapes = described['nodes'], _shapes(traced)
    made = OnnxGraph([], dict(traced.params), DATA, traced.shape, traced.dtype, [], {DATA: (1, *traced.shape)})
    values: Dict[Tuple[int, int], str] = {}
    for number, node in enumerate(nodes):
        if node['op'] == 'null':
            values[number, 0] = node['name']
            continue
        inputs = [(index, output) for index, output, *_ in node['inputs']]
        call = Call(
            made,
            node['name'],
            node.get('attrs', {}),
            [values[key] for key in inputs],
            [shapes[nodes[index]['name'], output] for index, output in inputs],
        )
        for output, name in enumerate(translate(node['op'], call)):
            values[number, output] = name
            made.shapes[name] = shapes[node['name'], output]
    made.outputs = [values[index, output] for index, output, *_ in described['heads']]
    made.prune()
    return made


def _shapes(traced: TracedNetwork) -> Dict[Tuple[str, int], Tuple[int, ...]]:
    """(node, output) -> shape, for a batch of 1."""
    internals: mx.sym.Symbol = traced.symbol.get_internals()
    known = {name: value.shape for name, value in traced.params.items()}
    _, found, _ = internals.infer_shape(**{DATA: (1, *traced.shape)}, **known)
    shapes: Dict[Tuple[str, int], Tuple[int, ...]] = {}
    for name, shape in zip(internals.list_outputs(), found):
        owner, mark, output = name.rpartition('_output')
        if mark and (output == '' or output.isdigit()):
            shapes[owner, int(output or 0)] = shape
        else:  # a variable
            shapes[name, 0] = shape
    return shapes

"""Translation of a traced network to an ONNX graph."""

from __future__ import annotations

import json
from typing import Dict, Tuple

import mxnet as mx

from gluon_cbam.export.tracing import DATA, TracedNetwork

from .call import Call
from .graph import OnnxGraph, Shape
from .operators import translate

Shapes = Dict[Tuple[str, int], Shape]


def to_onnx_graph(traced: TracedNetwork) -> OnnxGraph:
    """Translate a traced network, operator by operator.

    Args:
        traced: see :func:`gluon_cbam.export.tracing.trace`.

    Raises:
        DataError: an operator has no translation.
    """
    described = json.loads(traced.symbol.tojson())
    nodes, shapes = described['nodes'], _shapes(traced)
    image = shapes[DATA, 0][1:]
    made = OnnxGraph(
        [], dict(traced.params), DATA, image, traced.dtype, [], {DATA: (1, *image)}, classes=traced.classes
    )
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


def _shapes(traced: TracedNetwork) -> Shapes:
    """(node, output) -> shape, for a batch of 1; where the size of images is free, None for what depends on it."""
    shapes: Shapes = _shapes_at(traced, traced.shape)
    if traced.other_shape is None:
        return shapes
    other = _shapes_at(traced, traced.other_shape)
    return {key: tuple(one if one == two else None for one, two in zip(shapes[key], other[key])) for key in shapes}


def _shapes_at(traced: TracedNetwork, image: Tuple[int, ...]) -> Shapes:
    internals: mx.sym.Symbol = traced.symbol.get_internals()
    known = {name: value.shape for name, value in traced.params.items()}
    _, found, _ = internals.infer_shape(**{DATA: (1, *image)}, **known)
    shapes: Shapes = {}
    for name, shape in zip(internals.list_outputs(), found):
        owner, mark, output = name.rpartition('_output')
        if mark and (output == '' or output.isdigit()):
            shapes[owner, int(output or 0)] = shape
        else:  # a variable
            shapes[name, 0] = shape
    return shapes

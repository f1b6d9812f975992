"""A graph of ONNX operators that is easy to rewrite, and its way into a file.

Axes and sizes are attributes here in every version of the operators; :func:`to_model` writes them as the opset wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.packages import needed

OLDEST_OPSET, DEFAULT_OPSET, NEWEST_OPSET = 13, 17, 22
# operator -> attribute that became an input, and since which opset
_AS_INPUT = {
    'ReduceSum': ('axes', 13),
    'ReduceMean': ('axes', 18),
    'ReduceMax': ('axes', 18),
    'Unsqueeze': ('axes', 13),
    'Split': ('split', 13),
}


@dataclass
class Node:
    """An operator.

    Attributes:
        op: of ONNX.
        inputs: names of values.
        outputs: likewise.
        attributes: by name.
    """

    op: str
    inputs: List[str]
    outputs: List[str]
    attributes: Dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]


@dataclass
class OnnxGraph:
    """Operators in an order that can be computed.

    Attributes:
        nodes: the operators.
        constants: array by name.
        input: name of the input.
        input_shape: of one image.
        input_dtype: numpy's name.
        outputs: names.
        shapes: of values, for a batch of 1, where they are known.
        of_batch: values whose first axis is the batch, which engines cannot tell by themselves; the file says it, since
            ONNX Runtime adds two maps inside a convolution only where it knows that they are of one shape.
    """

    nodes: List[Node]
    constants: Dict[str, np.ndarray]
    input: str
    input_shape: Tuple[int, ...]
    input_dtype: str
    outputs: List[str]
    shapes: Dict[str, Tuple[int, ...]]
    of_batch: List[str] = field(default_factory=list)

    def producers(self) -> Dict[str, Node]:
        """Value -> the operator that makes it."""
        return {name: node for node in self.nodes for name in node.outputs}

    def consumers(self) -> Dict[str, List[Node]]:
        """Value -> the operators that take it; an output of the graph counts as taken by None."""
        taken: Dict[str, List[Optional[Node]]] = {}
        for node in self.nodes:
            for name in node.inputs:
                taken.setdefault(name, []).append(node)
        for name in self.outputs:
            taken.setdefault(name, []).append(None)
        return taken

    def constant(self, name: str, value) -> str:
        """Add an array under a name of its own, which is returned."""
        unique, number = name, 0
        while unique in self.constants:
            number += 1
            unique = f'{name}_{number}'
        self.constants[unique] = np.ascontiguousarray(value)
        return unique

    def replace(self, old: str, new: str) -> None:
        """Let everything that takes a value take another one."""
        for node in self.nodes:
            node.inputs = [new if name == old else name for name in node.inputs]
        self.outputs = [new if name == old else name for name in self.outputs]

    def name_outputs(self, names: Sequence[str]) -> None:
        """Give the outputs names of their own."""
        for old, new in zip(list(self.outputs), names):
            self.nodes.append(Node('Identity', [old], [new]))
            self.shapes[new] = self.shapes[old]
        self.outputs = list(names)

    def prune(self) -> None:
        """Drop what no output needs."""
        wanted, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        self.nodes = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in wanted}


def checked_opset(opset: int) -> int:
    """``opset`` if files can be written in it with the onnx that is installed.

    Raises:
        UsageError: they cannot.
        DependencyError: onnx is not installed.
    """
    newest = min(NEWEST_OPSET, needed('onnx').defs.onnx_opset_version())
    if not OLDEST_OPSET <= opset <= newest:
        raise UsageError(f'the opset must be in {OLDEST_OPSET}..{newest}, got {opset}')
    return opset


def to_model(graph: OnnxGraph, opset: int, texts: Mapping[str, str], name: str):
    """The ``onnx.ModelProto`` of a graph, whose batch is free.

    Args:
        graph: the operators.
        opset: checked.
        texts: metadata.
        name: of the graph.
    """
    onnx = needed('onnx')
    helper, kinds = onnx.helper, onnx.TensorProto
    constants, nodes = dict(graph.constants), []
    for number, node in enumerate(graph.nodes):
        inputs, attributes = list(node.inputs), dict(node.attributes)
        moved, since = _AS_INPUT.get(node.op, (None, 0))
        if moved in attributes and opset >= since:
            inputs.append(f'{node.output}/{moved}')
            constants[inputs[-1]] = np.int64(attributes.pop(moved))
        nodes.append(helper.make_node(node.op, inputs, node.outputs, f'{node.op}_{number}', **attributes))
    kind = kinds.UINT8 if graph.input_dtype == 'uint8' else kinds.FLOAT
    made = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(graph.input, kind, ['N', *graph.input_shape])],
        [helper.make_tensor_value_info(name, kinds.FLOAT, _free(graph.shapes.get(name))) for name in graph.outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        value_info=[
            helper.make_tensor_value_info(name, kinds.FLOAT, _free(graph.shapes[name])) for name in graph.of_batch
        ],
    )
    opsets = [helper.make_opsetid('', opset)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))
    model.producer_name = 'gluon_cbam'
    helper.set_model_props(model, dict(texts))
    return model


def _free(shape: Optional[Tuple[int, ...]]) -> Optional[list]:
    """A shape with a free batch; None where it is not known."""
    return None if shape is None else ['N', *shape[1:]]

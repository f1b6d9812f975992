"""An ONNX graph that passes can change, and its conversion to a model.

Axes and sizes are attributes in this representation; :func:`to_model` writes them as the opset defines them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.packages import import_optional

OLDEST_OPSET, DEFAULT_OPSET, NEWEST_OPSET = 13, 17, 22
# operator -> attribute that became an input, and the first opset with that input (Operators.md of ONNX)
_AS_INPUT = {
    'ReduceSum': ('axes', 13),
    'ReduceMean': ('axes', 18),
    'ReduceMax': ('axes', 18),
    'ReduceMin': ('axes', 18),
    'ReduceProd': ('axes', 18),
    'Unsqueeze': ('axes', 13),
    'Split': ('split', 13),
}
# operator -> attribute that older opsets do not have, where they do what its value here says, and the first with it
_ADDED = {'RoiAlign': ('coordinate_transformation_mode', 16)}


Shape = Tuple[Optional[int], ...]
"""Lengths of axes; None for one that depends on the size of the image, where that is free."""


@dataclass
class Node:
    """A node of the graph.

    Attributes:
        op: type of the ONNX operator, for instance ``Conv``.
        inputs: names of values.
        outputs: names of values.
        attributes: the attributes by name.
    """

    op: str
    inputs: List[str]
    outputs: List[str]
    attributes: Dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]


Consumers = Dict[str, List[Optional[Node]]]
"""Value -> the nodes that take it; None for an output of the graph."""


@dataclass
class OnnxGraph:
    """Nodes in topological order, with their constants.

    Attributes:
        nodes: the nodes.
        constants: array by name of the value.
        input: name of the input.
        input_shape: the shape of one image, without the batch axis; None for height and width that are free.
        input_dtype: name of numpy's type.
        outputs: names of the outputs.
        shapes: the shapes of values, for a batch of 1, where they are known.
        of_batch: values whose first axis is the batch, which shape inference cannot derive; files state it, since ONNX
            Runtime fuses an addition into a convolution only where it knows that both inputs have the same shape.
        classes: the number of classes of a detector; 0 for other networks.
        exact: values that the network has in float32 in every precision, such as the outputs of a detector's heads;
            what is computed from them is, too.
    """

    nodes: List[Node]
    constants: Dict[str, np.ndarray]
    input: str
    input_shape: Shape
    input_dtype: str
    outputs: List[str]
    shapes: Dict[str, Shape]
    of_batch: List[str] = field(default_factory=list)
    classes: int = 0
    exact: List[str] = field(default_factory=list)

    def producers(self) -> Dict[str, Node]:
        """Value -> the node that outputs it."""
        return {name: node for node in self.nodes for name in node.outputs}

    def consumers(self) -> Consumers:
        """Value -> the nodes that take it."""
        taken: Consumers = {}
        for node in self.nodes:
            for name in node.inputs:
                taken.setdefault(name, []).append(node)
        for name in self.outputs:
            taken.setdefault(name, []).append(None)
        return taken

    def fixed_shape(self, name: str) -> Tuple[int, ...]:
        """The shape of a value, for a batch of 1; () where it is not known or depends on a free size."""
        shape = self.shapes.get(name, ())
        known = tuple(length for length in shape if length is not None)
        return known if len(known) == len(shape) else ()

    def channels(self, name: str) -> int:
        """The number of channels of a feature map."""
        return int(self.shapes[name][1] or 0)

    def heads(self) -> List[str]:
        """The values of :attr:`exact` that are computed from none of the others."""
        after: Set[str] = set()
        for node in self.nodes:
            if after.union(self.exact).intersection(node.inputs):
                after.update(node.outputs)
        return [name for name in self.exact if name not in after]

    def constant(self, name: str, value: Union[np.ndarray, np.generic]) -> str:
        """Add a constant; returns its name, ``name`` with a number if that is taken."""
        unique, number = name, 0
        while unique in self.constants:
            number += 1
            unique = f'{name}_{number}'
        self.constants[unique] = np.asarray(value, order='C')
        return unique

    def replace(self, old: str, new: str) -> None:
        """Replace a value by another one in all inputs and outputs."""
        for node in self.nodes:
            node.inputs = [new if name == old else name for name in node.inputs]
        self.outputs = [new if name == old else name for name in self.outputs]

    def name_outputs(self, names: Sequence[str]) -> None:
        """Rename the outputs by Identity nodes."""
        for old, new in zip(list(self.outputs), names):
            self.nodes.append(Node('Identity', [old], [new]))
            self.shapes[new] = self.shapes[old]
        self.outputs = list(names)

    def prune(self) -> None:
        """Remove the nodes and constants that no output needs."""
        wanted, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        self.nodes = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in wanted}


def checked_opset(opset: int) -> int:
    """Check the version of the ONNX operators that a file is written for.

    Args:
        opset: the version.

    Returns:
        The same version.

    Raises:
        UsageError: this package or the installed onnx cannot write it.
        DependencyError: onnx is not installed.
    """
    newest = min(NEWEST_OPSET, import_optional('onnx').defs.onnx_opset_version())
    if not OLDEST_OPSET <= opset <= newest:
        raise UsageError(f'the opset must be in {OLDEST_OPSET}..{newest}, got {opset}')
    return opset


def to_model(graph: OnnxGraph, opset: int, texts: Mapping[str, str], name: str) -> Any:
    """Convert a graph to an ``onnx.ModelProto`` with a dynamic batch axis.

    Args:
        graph: the graph.
        opset: version of the ONNX operators, see :func:`checked_opset`.
        texts: metadata properties of the model.
        name: the name of the graph.

    Raises:
        DependencyError: onnx is not installed.
    """
    onnx = import_optional('onnx')
    helper, kinds = onnx.helper, onnx.TensorProto
    constants: Dict[str, Any] = dict(graph.constants)
    nodes = []
    for number, node in enumerate(graph.nodes):
        inputs, attributes = list(node.inputs), dict(node.attributes)
        moved, since = _AS_INPUT.get(node.op, ('', 0))
        if moved in attributes and opset >= since:
            inputs.append(f'{node.output}/{moved}')
            constants[inputs[-1]] = np.int64(attributes.pop(moved))
        added, since = _ADDED.get(node.op, ('', 0))
        if opset < since:
            attributes.pop(added, None)
        nodes.append(helper.make_node(node.op, inputs, node.outputs, f'{node.op}_{number}', **attributes))
    kind = kinds.UINT8 if graph.input_dtype == 'uint8' else kinds.FLOAT
    made = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(graph.input, kind, ['N', *_named_axes(graph.input_shape)])],
        [helper.make_tensor_value_info(name, kinds.FLOAT, _dynamic(graph.shapes.get(name))) for name in graph.outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        value_info=[
            helper.make_tensor_value_info(name, kinds.FLOAT, _dynamic(graph.shapes[name])) for name in graph.of_batch
        ],
    )
    opsets = [helper.make_opsetid('', opset)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))
    model.producer_name = 'gluon_cbam'
    helper.set_model_props(model, dict(texts))
    return model


def _named_axes(shape: Shape) -> List[Union[int, str]]:
    """The axes of an input with names of those that are free: height comes before width."""
    names = iter(('H', 'W'))
    return [next(names) if length is None else length for length in shape]


def _dynamic(shape: Optional[Shape]) -> Optional[List[Union[int, str, None]]]:
    """A shape with a dynamic batch axis; None where it is not known.

    The first axis of what belongs to RoIs is a multiple of the batch, of which nothing is stated: ONNX Runtime takes
    axes of one name for equally long, and would reuse the memory of one for the other.
    """
    return None if shape is None else ['N' if shape[:1] == (1,) else None, *shape[1:]]

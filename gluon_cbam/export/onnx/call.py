"""A call of an MXNet operator that is translated to ONNX."""

from __future__ import annotations

import ast
from typing import Any, Dict, List, Sequence, Union

import numpy as np

from .graph import Node, OnnxGraph, Shape


class Call:
    """An operator of a symbol that is translated.

    Args:
        graph: the ONNX graph that nodes are added to.
        name: the name of the MXNet operator; ONNX values are named after it.
        attributes: the attributes of the MXNet operator, as text by name.
        inputs: names of the ONNX values.
        shapes: the shapes of the inputs, for a batch of 1.
    """

    def __init__(
        self, graph: OnnxGraph, name: str, attributes: Dict[str, str], inputs: List[str], shapes: Sequence[Shape]
    ) -> None:
        self._graph, self._name, self._count = graph, name, 0
        self._attributes, self.inputs, self.shapes = attributes, inputs, shapes

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the MXNet operator as a Python value."""
        text = self._attributes.get(name)
        if text is None:
            return default
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text

    def axes(self, name: str = 'axis') -> List[int]:
        """An attribute that is a number or several, such as axes or sizes."""
        value = self.attribute(name)
        return list(value) if isinstance(value, tuple) else [value]

    @property
    def classes(self) -> int:
        """The number of classes of the detector."""
        return self._graph.classes

    def exact(self, name: str) -> str:
        """State that a value is in float32 in every precision, if pixels are not all that it is; returns its name."""
        if self.inputs[0] != self._graph.input:
            self._graph.exact.append(name)
        return name

    def emit(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add an ONNX node; returns the name of its output, or a list of names if there are several."""
        self._count += 1
        name = self._name if self._count == 1 else f'{self._name}/{self._count}'
        names = [name] if outputs == 1 else [f'{name}:{number}' for number in range(outputs)]
        self._graph.nodes.append(Node(op, list(inputs), names, attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: Union[np.ndarray, np.generic], name: str = 'constant') -> str:
        """Add a constant; returns its name."""
        return self._graph.constant(f'{self._name}/{name}', value)

    def value(self, number: int) -> np.ndarray:
        """The array of an input that is a parameter."""
        return self._graph.constants[self.inputs[number]]

    def scalar(self) -> str:
        """The attribute ``scalar`` as a constant."""
        return self.constant(np.float32(self.attribute('scalar')), 'scalar')

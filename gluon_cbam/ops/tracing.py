"""Separates the graph that a hybridized block runs from the graph that it exports.

MXNet's HybridBlock keeps one graph for both purposes. A :class:`FusedBlock`, the base of every block of this package,
traces two: while the first is traced, :func:`is_traced_for_cpu` is true on a CPU, so that attention modules use fused
ops; the second, which is kept for exports, is traced without them. No class of MXNet is changed. A network of another
package that contains such blocks runs on MXNet's operators until :func:`use_fused_ops` is called with it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Iterator, Optional

import mxnet as mx
from mxnet.gluon import HybridBlock, SymbolBlock

from gluon_cbam.common.types import Tensor

from .inference_graph import InferenceGraph

_CPU, _GPU, _EXPORT = 'cpu', 'gpu', 'export'
"""The purpose of a graph that is traced; None if it is not known, as in a network of another package."""


class _State(threading.local):
    target: Optional[str] = None
    for_inference = False
    for_quantization = False
    differs = False
    """Whether the graph that is traced differs from the one to export."""


_state = _State()


def is_traced_for_cpu(x: Tensor) -> bool:
    """Whether a symbol belongs to a graph that is traced in order to run on the CPU.

    Args:
        x: an array or a symbol.

    Returns:
        The answer; False for every array.
    """
    building = _state.target == _CPU and isinstance(x, mx.sym.Symbol)
    _state.differs = _state.differs or building
    return building


def is_traced_for_export() -> bool:
    """Whether the graph that is traced is for export, so that it may only have operators that other programs know."""
    _state.differs = _state.differs or _state.target in (_CPU, _GPU)
    return _state.target == _EXPORT


def is_traced_for_inference() -> bool:
    """Whether the graph that is traced needs no gradients."""
    return _state.for_inference


def is_traced_for_quantization() -> bool:
    """Whether the graph that is traced will be quantized by MXNet, which fuses its own convolutions only."""
    return _state.for_quantization


def export_symbol(block: HybridBlock, *inputs: mx.sym.Symbol) -> Any:
    """Trace the graph of a block for export, in the operators that other programs know.

    Calling the block with the symbol gives the same graph except for PReLU, which is composed of several operators
    there: the graph may be trained as part of a network of another package, and the gradient of MXNet's operator is
    wrong.

    Args:
        block: a block.
        *inputs: its inputs.

    Returns:
        What the block returns: a symbol, or a list or tuple of symbols.
    """
    with _tracing_for(_EXPORT):
        return block(*inputs)


def quantization_symbol(block: HybridBlock, name: str = 'data') -> mx.sym.Symbol:
    """Trace the graph of a block that MXNet can quantize: the one for inference on the CPU, with MXNet's convolutions.

    Args:
        block: a block with one input and one output.
        name: name of the input.

    Returns:
        The output.
    """
    with _tracing_for(_CPU, for_inference=True, for_quantization=True):
        return block(mx.sym.var(name))


def network_graph(net: HybridBlock, name: str = 'data') -> mx.sym.Symbol:
    """The graph of a network that is called with a symbol, its outputs in a group where there are several.

    Args:
        net: a block with one input.
        name: name of the input.
    """
    outputs = net(mx.sym.Variable(name))
    return mx.sym.Group(list(outputs)) if isinstance(outputs, (list, tuple)) else outputs


@contextmanager
def _tracing_for(target: str, for_inference: bool = False, for_quantization: bool = False) -> Iterator[None]:
    outer = _state.target, _state.for_inference, _state.for_quantization
    _state.target, _state.for_inference, _state.for_quantization = target, for_inference, for_quantization
    try:
        yield
    finally:
        _state.target, _state.for_inference, _state.for_quantization = outer


class FusedBlock(HybridBlock):
    """A HybridBlock that runs on fused ops where they are available and exports MXNet's operators.

    It is a base class of every block of this package, alone or before one of gluon's layers. The outermost block that
    is called decides for all blocks inside it.
    """

    _inference_graph: Optional[InferenceGraph] = None

    def _build_cache(self, *args: Any) -> None:
        _build_two_graphs(self, super()._build_cache, *args)

    def _call_cached_op(self, *args: Any) -> Any:
        return _call_one_graph(self, super()._call_cached_op, *args)


def use_fused_ops(net: HybridBlock) -> None:
    """Let a network of another package run on the fused ops of the blocks of this package inside it.

    It changes this network only, not its class. Networks and blocks of this package do not need it, and
    :func:`gluon_cbam.attach` calls it. Parameters, outputs (up to rounding) and exports stay the same.

    Args:
        net: any HybridBlock, hybridized or not; if it was called already, its graph is traced again at the next call.

    Example:
        >>> detector = gluoncv.model_zoo.SSD(..., features=gluon_cbam.features('cbam_resnet50'))
        >>> gluon_cbam.use_fused_ops(detector)
        >>> detector.hybridize()
    """
    if isinstance(net, (FusedBlock, SymbolBlock)) or '_build_cache' in vars(net):
        return
    object.__setattr__(net, '_build_cache', partial(_build_two_graphs, net, net._build_cache))
    object.__setattr__(net, '_call_cached_op', partial(_call_one_graph, net, net._call_cached_op))
    net._clear_cached_op()


def _build_two_graphs(block: HybridBlock, build_cache: Callable[..., None], *args: Any) -> None:
    """Build the graph that runs, then trace the graph for export if it differs."""
    if block._backend:  # MXNet rewrites the graph, then runs and exports the result
        with _tracing_for(_EXPORT):
            build_cache(*args)
        return
    kept, block._cached_graph = block._cached_graph, ()
    outer, _state.differs = _state.differs, False
    try:
        with _tracing_for(_CPU if _on_cpu(args) else _GPU):
            build_cache(*args)
    finally:
        differs, _state.differs = _state.differs, outer
        running = block._cached_graph
        if differs:  # the graph that runs, or a part of it after a failure, must not be exported
            block._cached_graph = kept
    if _on_cpu(args):
        trace = partial(_trace_for_inference, block)
        object.__setattr__(block, '_inference_graph', InferenceGraph(block, running[1].list_inputs(), trace))
    if differs:
        with _tracing_for(_EXPORT):
            block._get_graph(*args)


def _trace_for_inference(block: HybridBlock, *args: Any) -> mx.sym.Symbol:
    """Trace the graph for inference and leave the block as it is."""
    kept, block._cached_graph = block._cached_graph, ()
    try:
        with _tracing_for(_CPU, for_inference=True):
            return block._get_graph(*args)[1]
    finally:
        block._cached_graph = kept


def _call_one_graph(block: HybridBlock, call: Callable[..., Any], *args: Any) -> Any:
    """Run the graph for inference if it fits the call, otherwise the one that MXNet has built."""
    if block._cached_op is None:
        block._build_cache(*args)
    graph: Optional[InferenceGraph] = getattr(block, '_inference_graph', None)
    outputs = graph.call(block, args) if graph else None
    return outputs[0] if outputs else call(*args)


def _on_cpu(args: Any) -> bool:
    arrays = (a for arg in args for a in (arg if isinstance(arg, (list, tuple)) else [arg]))
    return all(array.context.device_type.startswith('cpu') for array in arrays if isinstance(array, mx.nd.NDArray))

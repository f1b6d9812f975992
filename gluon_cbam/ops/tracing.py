"""Tells the graph that runs from the one that is exported.

MXNet's HybridBlock keeps one graph for both. While it builds what it will run, :func:`is_running` is true, and on the
CPU :func:`is_building`, so that attention modules use the operators of this package; afterwards the graph to export is
traced without them.
"""

from __future__ import annotations

import threading

import mxnet as mx
from mxnet.gluon import HybridBlock, SymbolBlock

_build_cache = HybridBlock._build_cache
_state = threading.local()


def is_building(x) -> bool:
    """Whether a symbol belongs to a graph that will run on the CPU; notes that somebody asked."""
    return _runs_on(x, ('cpu',))


def is_running(x) -> bool:
    """Whether a symbol belongs to a graph that will run, wherever; notes that somebody asked."""
    return _runs_on(x, ('cpu', 'gpu'))


def _runs_on(x, devices) -> bool:
    runs = getattr(_state, 'device', None) in devices and isinstance(x, mx.sym.Symbol)
    _state.asked = runs or getattr(_state, 'asked', False)
    return runs


def is_for_inference() -> bool:
    """Whether no gradients will be asked of the graph that is built."""
    return getattr(_state, 'for_inference', False)


def inference_symbol(block: HybridBlock, name: str = 'data') -> mx.sym.Symbol:
    """The graph that a block of one input runs on the CPU, without gradients.

    Args:
        block: of one input and one output.
        name: of the input.
    """
    outside = getattr(_state, 'device', None), is_for_inference()
    _state.device, _state.for_inference = 'cpu', True
    try:
        return block(mx.sym.var(name))
    finally:
        _state.device, _state.for_inference = outside


def install() -> None:
    """Let every HybridBlock build its graphs so. Calling it again changes nothing."""
    HybridBlock._build_cache = _build_both


def _build_both(self, *args):
    if self._backend or isinstance(self, SymbolBlock):
        _build_cache(self, *args)  # a graph that MXNet rewrites, or one that is given
        return
    kept, self._cached_graph = self._cached_graph, ()
    outside, _state.asked = getattr(_state, 'device', None), False
    _state.device = 'cpu' if _on_cpu(args) else 'gpu'
    try:
        _build_cache(self, *args)
    finally:
        _state.device = outside
        if _state.asked:  # what was built does not go into an export, nor what was half built
            self._cached_graph = kept
    if _state.asked:
        self._get_graph(*args)


def _on_cpu(args) -> bool:
    arrays = (a for arg in args for a in (arg if isinstance(arg, (list, tuple)) else [arg]))
    return all(array.context.device_type.startswith('cpu') for array in arrays if isinstance(array, mx.nd.NDArray))

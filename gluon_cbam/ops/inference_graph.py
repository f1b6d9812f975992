"""The graph that a hybridized block runs in inference, beside the one that it trains on.

Its convolutions are fused with what follows them, and each gate of attention that allows it is one operator.
Both graphs have the same parameters. What is computed from them, such as folded weights, is kept by the operators,
which compare the versions of the parameters in every call: see native/fused_convolution_operators.cc.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, List, Optional, Tuple

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock
from mxnet.gluon.block import _flatten, _regroup

from .fusion import fuse_convolutions
from .library import INFERENCE_NAMES, PREFIX, load
from .status import requested_backend

_LOCK = threading.RLock()
_FLOAT32 = (np.float32, 'float32', np.dtype('float32'))


class InferenceGraph:
    """The fused graph of a block, built at the first call that can use it.

    Args:
        block: a block that MXNet has just built the cache of, on the CPU.
        names: the inputs of the graph of that cache.
        trace: traces the graph for inference of the arguments of a call, before convolutions are fused.
    """

    def __init__(self, block: HybridBlock, names: List[str], trace: Callable[..., mx.sym.Symbol]) -> None:
        self._cached_op, self._known = block._cached_op, dict(zip(names, block._cached_op_args))
        self._trace: Optional[Callable[..., mx.sym.Symbol]] = trace
        self._fused_op: Optional[mx.nd.CachedOp] = None
        self._arguments: List[Tuple[bool, Any]] = []

    def call(self, block: HybridBlock, args: Tuple[Any, ...]) -> Optional[List[mx.nd.NDArray]]:
        """Run the graph.

        Args:
            block: the block of this graph.
            args: the arguments of a call.

        Returns:
            A list with what the block returns, or None if this call needs the block's own graph: for gradients or in
            training mode, for other types than float32 or other devices than the CPU, where a callback watches the
            operators, where the block was hybridized anew, or if there is nothing to fuse.
        """
        if mx.autograd.is_recording() or mx.autograd.is_training() or block._callback:
            return None
        if block._cached_op is not self._cached_op:
            return None
        flat, form = _flatten(args, 'input')
        arrays = [array for array in flat if array is not None]
        if form != block._in_format or not all(map(_is_float32_on_cpu, arrays)):
            return None
        if self._trace is not None:
            with _LOCK:
                self._build(block, args)
        if self._fused_op is None:
            return None
        if not all(is_data or argument.dtype in _FLOAT32 for is_data, argument in self._arguments):
            return None
        inputs = [arrays[argument] if is_data else argument.data() for is_data, argument in self._arguments]
        outputs = self._fused_op(*inputs)
        return [_regroup([outputs] if isinstance(outputs, mx.nd.NDArray) else outputs, block._out_format)]

    def _build(self, block: HybridBlock, args: Tuple[Any, ...]) -> None:
        trace, usable = self._trace, requested_backend() == 'auto' and load() is not None
        if trace is None:  # another thread was faster
            return
        fused = _fused(trace(*args)) if usable else None
        if fused is not None and self._known.keys() >= set(fused.list_inputs()):
            self._arguments = [self._known[name] for name in fused.list_inputs()]
            places: Tuple[List[int], List[int]] = ([], [])
            for place, (is_data, _) in enumerate(self._arguments):
                places[0 if is_data else 1].append(place)
            flags = [('data_indices', places[0]), ('param_indices', places[1]), *block._flags]
            self._fused_op = mx.nd.CachedOp(fused, flags)
        self._trace = None


def _fused(symbol: mx.sym.Symbol) -> Optional[mx.sym.Symbol]:
    """The fused graph; None if no operator in it is for inference only."""
    fused = fuse_convolutions(symbol)
    if fused is not None:
        return fused
    operators = {node['op'] for node in json.loads(symbol.tojson())['nodes']}
    return symbol if operators & {PREFIX + name for name in INFERENCE_NAMES} else None


def _is_float32_on_cpu(array: mx.nd.NDArray) -> bool:
    return array.dtype is np.float32 and array.context.device_type.startswith('cpu')

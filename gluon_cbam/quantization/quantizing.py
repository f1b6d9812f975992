"""Quantizes a network in float32 to int8."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.ops import tracing
from gluon_cbam.ops.status import operators_status

from . import graph

_FUSION = 'MKLDNN_QUANTIZE'  # MXNet's name of its fusion of operators, before and after quantization
_DATA = 'data'


def quantize(net: mx.gluon.HybridBlock, images: Iterable[np.ndarray]) -> mx.gluon.SymbolBlock:
    """Quantize a network to int8, for inference on the CPU.

    Convolutions, the last dense layer and the attention's fused ops take and return quantized tensors; the operators
    that compute gates stay in float32. The range of a tensor is from the smallest to the largest value for
    the given images (MXNet's naive calibration).

    Args:
        net: a network of this package with its parameters, on the CPU.
        images: batches of preprocessed images, (N, C, H, W) each, like those of later inputs; some tens of images
            suffice. A batch of another shape than the first, as the last one may be, is left out.

    Returns:
        A block that maps the same inputs to about the same outputs, with its own parameters.

    Raises:
        EnvironmentProblem: the compiled operators cannot be used.
        UsageError: there are no images.
    """
    found = operators_status()
    if not found.ok:
        raise EnvironmentProblem(f'quantized networks need the compiled operators: {found.detail} {found.remedy}')
    batches = [np.asarray(batch, np.float32) for batch in images]
    if not batches:
        raise UsageError('quantization needs images to find the ranges of values, got none')
    symbol = tracing.inference_symbol(net).get_backend_symbol(_FUSION)
    parameters = {parameter.name: parameter.data() for parameter in net.collect_params().values()}
    arguments = {name: parameters[name] for name in symbol.list_arguments() if name in parameters}
    states = {name: parameters[name] for name in symbol.list_auxiliary_states()}
    return _Quantization(symbol, arguments, states).run(batches)


class _Quantization:
    """The steps of :func:`quantize`, from the graph that runs to a block."""

    def __init__(
        self, symbol: mx.sym.Symbol, arguments: Dict[str, mx.nd.NDArray], states: Dict[str, mx.nd.NDArray]
    ) -> None:
        self._symbol, self._arguments, self._states = symbol, arguments, states

    def run(self, batches: List[np.ndarray]) -> mx.gluon.SymbolBlock:
        """Quantize; ``batches`` are the images to calibrate with."""
        from mxnet.contrib import quantization as mxnet_quantization

        quantized, _, _, collector = mxnet_quantization.quantize_graph(
            self._symbol,
            self._arguments,
            self._states,
            ctx=mx.cpu(),
            excluded_sym_names=graph.excluded_names(self._symbol),
            calib_mode='naive',
            quantized_dtype='auto',
            logger=None,
        )
        collector.include_layer = [*collector.include_layer, *graph.scale_outputs(self._symbol)]
        self._calibrate(collector, batches)
        quantized, arguments, states = mxnet_quantization.calib_graph(
            quantized, self._arguments, self._states, collector, calib_mode='naive', quantized_dtype='auto', logger=None
        )
        quantized = quantized.get_backend_symbol(_FUSION)
        limits = {name: float(high) for name, (_, high) in collector.min_max_dict.items()}
        quantized, added = graph.with_int8_attention(quantized, limits)
        values = {**arguments, **states, **{name: mx.nd.array([value]) for name, value in added.items()}}
        return _block(quantized, values)

    def _calibrate(self, collector: Any, batches: List[np.ndarray]) -> None:
        """Pass the values of every layer to the collector, an object of ``mxnet.contrib.quantization``."""
        module = mx.mod.Module(self._symbol, data_names=[_DATA], label_names=None)
        module.bind([(_DATA, batches[0].shape)], for_training=False)
        module.set_params(self._arguments, self._states)
        module._exec_group.execs[0].set_monitor_callback(collector.collect, monitor_all=True)
        for batch in batches:
            if batch.shape == batches[0].shape:
                module.forward(mx.io.DataBatch([mx.nd.array(batch)]), is_train=False)
        mx.nd.waitall()


def _block(symbol: mx.sym.Symbol, values: Dict[str, mx.nd.NDArray]) -> mx.gluon.SymbolBlock:
    block = mx.gluon.SymbolBlock(symbol, [mx.sym.var(_DATA, dtype='float32')])
    for name, parameter in block.collect_params().items():
        parameter._load_init(values[name], mx.cpu(), cast_dtype=True, dtype_source='saved')
    block.hybridize(static_alloc=True, static_shape=True)
    return block

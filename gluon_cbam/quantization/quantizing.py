"""From a network in float32 to one in eight-bit integers."""

from __future__ import annotations

from typing import Dict, Iterable, List

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.ops import tracing
from gluon_cbam.ops.status import look

from . import graph

_FUSION = 'MKLDNN_QUANTIZE'  # MXNet's name of its passes over the graph, before quantization and after
_DATA = 'data'


def quantize(net: mx.gluon.HybridBlock, images: Iterable[np.ndarray]) -> mx.gluon.SymbolBlock:
    """A network in eight-bit integers, for inference on the CPU.

    Convolutions, the last dense layer and the attention's passes over maps take and give integers; what makes the gates
    stays in floats. Ranges are the least and greatest values that occur with the images given (MXNet's naive
    calibration).

    Args:
        net: of this package, with its parameters, on the CPU.
        images: batches of preprocessed images, (N, C, H, W) each, as they will come: some tens of images suffice. A
            batch of another shape than the first, as the last one may be, is left out.

    Returns:
        A block that maps the same inputs to about the same outputs; of its own parameters.

    Raises:
        EnvironmentProblem: the compiled operators are not there.
        UsageError: no images.
    """
    found = look()
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
    def __init__(self, symbol, arguments: Dict[str, mx.nd.NDArray], states: Dict[str, mx.nd.NDArray]):
        self._symbol, self._arguments, self._states = symbol, arguments, states

    def run(self, batches: List[np.ndarray]) -> mx.gluon.SymbolBlock:
        from mxnet.contrib import quantization as mxnet_quantization

        quantized, _, _, collector = mxnet_quantization.quantize_graph(
            self._symbol,
            self._arguments,
            self._states,
            ctx=mx.cpu(),
            excluded_sym_names=graph.kept_in_floats(self._symbol),
            calib_mode='naive',
            quantized_dtype='auto',
            logger=None,
        )
        collector.include_layer = [*collector.include_layer, *graph.last_scales(self._symbol)]
        self._calibrate(collector, batches)
        quantized, arguments, states = mxnet_quantization.calib_graph(
            quantized, self._arguments, self._states, collector, calib_mode='naive', quantized_dtype='auto', logger=None
        )
        quantized = quantized.get_backend_symbol(_FUSION)
        limits = {name: float(high) for name, (_, high) in collector.min_max_dict.items()}
        quantized, added = graph.with_attention_in_integers(quantized, limits)
        values = {**arguments, **states, **{name: mx.nd.array([value]) for name, value in added.items()}}
        return _block(quantized, values)

    def _calibrate(self, collector, batches: List[np.ndarray]) -> None:
        """Let the collector see the values of every layer."""
        module = mx.mod.Module(self._symbol, data_names=[_DATA], label_names=None)
        module.bind([(_DATA, batches[0].shape)], for_training=False)
        module.set_params(self._arguments, self._states)
        module._exec_group.execs[0].set_monitor_callback(collector.collect, monitor_all=True)
        for batch in batches:
            if batch.shape == batches[0].shape:
                module.forward(mx.io.DataBatch([mx.nd.array(batch)]), is_train=False)
        mx.nd.waitall()


def _block(symbol: mx.sym.Symbol, values: Dict[str, mx.nd.NDArray]) -> mx.gluon.SymbolBlock:
    block = mx.gluon.SymbolBlock(symbol, [mx.sym.var(_DATA)])
    for name, parameter in block.collect_params().items():
        parameter._load_init(values[name], mx.cpu(), cast_dtype=True, dtype_source='saved')
    block.hybridize(static_alloc=True, static_shape=True)
    return block

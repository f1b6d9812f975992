"""Quantizes a network in float32 to int8."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Union

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.ops import tracing
from gluon_cbam.ops.status import operators_status

from . import graph

_FUSION = 'MKLDNN_QUANTIZE'  # MXNet's name of its fusion of operators, before and after quantization
_DATA = 'data'
_TAKES = 'quantization takes batches of preprocessed images, (N, C, H, W) floats'


Images = Union[np.ndarray, mx.nd.NDArray, Iterable[Any]]
"""Batches of images: one, any number of them, or a ``DataLoader`` whose batches are the images or begin with them."""


def quantize(net: mx.gluon.HybridBlock, images: Images) -> mx.gluon.SymbolBlock:
    """Quantize a network to int8, for inference on the CPU.

    Convolutions, the last dense layer and the attention's fused ops take and return quantized tensors; the operators
    that compute gates stay in float32. The range of a tensor is from the smallest to the largest value for
    the given images (MXNet's naive calibration).

    Args:
        net: a network of this package with its parameters, on the CPU.
        images: batches of preprocessed images, (N, C, H, W) floats each, like those of later inputs: arrays of NumPy or
            MXNet, one or any number of them, or a ``DataLoader`` of images, or of images and labels. Some tens of
            images suffice. A batch of another shape than the first, as the last one may be, is left out.

    Returns:
        A block that maps the same inputs to about the same outputs, with its own parameters.

    Raises:
        EnvironmentProblem: the compiled operators cannot be used.
        UsageError: there are no images, a batch does not fit the network, or the network is not initialized on the CPU
            in float32, or is a detector. Nothing is computed before.
    """
    found = operators_status()
    if not found.ok:
        raise EnvironmentProblem(f'quantized networks need the compiled operators: {found.detail} {found.remedy}')
    _check_network(net)
    batches = [_checked(net, batch, number) for number, batch in enumerate(_batches(images))]
    if not batches:
        raise UsageError('quantization needs images to find the ranges of values, got none')
    symbol = tracing.quantization_symbol(net).get_backend_symbol(_FUSION)
    parameters = {parameter.name: parameter.data() for parameter in net.collect_params().values()}
    arguments = {name: parameters[name] for name in symbol.list_arguments() if name in parameters}
    states = {name: parameters[name] for name in symbol.list_auxiliary_states()}
    return _Quantization(symbol, arguments, states).run(batches)


def _check_network(net: mx.gluon.HybridBlock) -> None:
    """Check that a network has parameters in float32 on the CPU, and can be quantized."""
    if getattr(net, 'detects', False) or getattr(net, 'segments', False):
        kind = 'a detector' if getattr(net, 'detects', False) else 'for segmentation'
        raise UsageError(f'{type(net).__name__} is {kind}, which cannot be quantized yet: use it in float32')
    for name, parameter in net._collect_params_with_prefix().items():
        if parameter._data is None:
            raise UsageError(
                f'{name} has no values yet: initialize the network, and call it once, before quantizing it'
            )
        if np.dtype(parameter.dtype) != np.float32 or parameter.list_ctx()[0].device_type != 'cpu':
            raise UsageError(
                f'{name} is {np.dtype(parameter.dtype).name} on {parameter.list_ctx()[0]}: quantization takes '
                "networks in float32 on the CPU, net.cast('float32') and net.collect_params().reset_ctx(mx.cpu())"
            )


def _batches(images: Images) -> Iterator[Any]:
    """The batches, without labels."""
    if isinstance(images, (np.ndarray, mx.nd.NDArray)):
        images = [images]
    try:
        each = iter(images)
    except TypeError:
        raise UsageError(f'{_TAKES}, got {type(images).__name__}') from None
    for batch in each:
        yield batch[0] if isinstance(batch, (list, tuple)) and len(batch) else batch


def _checked(net: mx.gluon.HybridBlock, batch: Any, number: int) -> np.ndarray:
    """A batch as an array, if it fits the network."""
    array = batch.asnumpy() if isinstance(batch, mx.nd.NDArray) else np.asarray(batch)
    about = f'batch {number} is {array.shape} {array.dtype}'
    if array.ndim != 4 or array.dtype.kind != 'f':
        remedy = 'stack images to batches' if array.ndim == 3 else 'scale and normalize the pixels'
        raise UsageError(f'{_TAKES}, {about}: {remedy if array.ndim in (3, 4) else "give images"}')
    check_input = getattr(net, 'check_input', None)  # of the networks of this package
    if check_input:
        try:
            check_input(array.shape)
        except ValueError as error:
            raise UsageError(f'{about}: {error}') from None
    if not array.size or not np.isfinite(array).all():
        raise UsageError(f'{about} and {"has values that are not finite" if array.size else "empty"}')
    return np.asarray(array, np.float32)


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

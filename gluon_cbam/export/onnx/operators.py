"""The table of operator translations from MXNet to ONNX, one row each."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError

from .call import Call
from .resizing_operators import RESIZING_OPERATORS
from .selection_operators import SELECTION_OPERATORS


def _convolution(call: Call) -> str:
    kernel = call.attribute('kernel')
    return call.emit(
        'Conv',
        *call.inputs,
        kernel_shape=list(kernel),
        strides=list(call.attribute('stride', (1,) * len(kernel))),
        dilations=list(call.attribute('dilate', (1,) * len(kernel))),
        pads=2 * list(call.attribute('pad', (0,) * len(kernel))),
        group=call.attribute('num_group', 1),
    )


def _deconvolution(call: Call) -> str:
    if call.attribute('target_shape', ()):
        raise DataError('Deconvolution with target_shape cannot be translated to ONNX: use pad and adj')
    kernel = call.attribute('kernel')
    return call.emit(
        'ConvTranspose',
        *call.inputs,
        kernel_shape=list(kernel),
        strides=list(call.attribute('stride', (1,) * len(kernel))),
        dilations=list(call.attribute('dilate', (1,) * len(kernel))),
        pads=2 * list(call.attribute('pad', (0,) * len(kernel))),
        output_padding=list(call.attribute('adj', (0,) * len(kernel))),
        group=call.attribute('num_group', 1),
    )


def _dense(call: Call) -> str:
    data = call.inputs[0]
    if len(call.shapes[0]) > 2:
        if not call.attribute('flatten', True):
            raise DataError('dense layers with flatten=False cannot be translated to ONNX')
        data = call.emit('Flatten', data, axis=1)
    return call.emit('Gemm', data, *call.inputs[1:], transB=1)


def _batch_norm(call: Call) -> str:
    data, gamma, *rest = call.inputs
    if call.attribute('fix_gamma', True):
        gamma = call.constant(np.ones_like(call.value(1)), 'gamma')
    return call.emit('BatchNormalization', data, gamma, *rest, epsilon=call.attribute('eps', 1e-3))


def _pooling(call: Call) -> str:
    kind = {'max': 'MaxPool', 'avg': 'AveragePool'}.get(call.attribute('pool_type', 'max'))
    pads = call.attribute('pad', (0,) * len(call.attribute('kernel', ())))
    rounds_up = call.attribute('pooling_convention', 'valid') == 'full' and kind == 'MaxPool' and not any(pads)
    if kind is None or (call.attribute('pooling_convention', 'valid') != 'valid' and not rounds_up):
        raise DataError(f'{call.attribute("pool_type")} pooling of this kind cannot be translated to ONNX')
    if call.attribute('global_pool', False):
        return call.emit(f'Global{kind}', call.inputs[0])
    kernel = call.attribute('kernel')
    extra = {'count_include_pad': int(call.attribute('count_include_pad', True))} if kind == 'AveragePool' else {}
    if rounds_up:
        extra['ceil_mode'] = 1
    return call.emit(
        kind,
        call.inputs[0],
        kernel_shape=list(kernel),
        strides=list(call.attribute('stride', (1,) * len(kernel))),
        pads=2 * list(pads),
        **extra,
    )


def _gelu(call: Call) -> str:
    """X / 2 (1 + erf(x / sqrt 2)); the operator Gelu needs opset 20."""
    error = call.emit('Erf', call.emit('Mul', call.inputs[0], call.constant(np.float32(1 / math.sqrt(2)))))
    half = call.emit('Mul', call.inputs[0], call.constant(np.float32(0.5)))
    return call.emit('Mul', half, call.emit('Add', error, call.constant(np.float32(1))))


def _prelu(call: Call) -> str:
    data, slope = call.inputs
    shape = (-1,) + (1,) * (len(call.shapes[0]) - 2)  # broadcast over all but the batch and the channels
    return call.emit('PRelu', data, call.constant(call.value(1).reshape(shape), slope))


_LEAKY = {
    'prelu': _prelu,
    'gelu': _gelu,
    'leaky': lambda call: call.emit('LeakyRelu', call.inputs[0], alpha=call.attribute('slope', 0.25)),
    'elu': lambda call: call.emit('Elu', call.inputs[0], alpha=call.attribute('slope', 0.25)),
    'selu': lambda call: call.emit('Selu', call.inputs[0]),
}
_ACTIVATIONS = {'relu': 'Relu', 'sigmoid': 'Sigmoid', 'tanh': 'Tanh', 'softrelu': 'Softplus', 'softsign': 'Softsign'}


def _activation(call: Call) -> str:
    return call.emit(_ACTIVATIONS[call.attribute('act_type')], call.inputs[0])


def _leaky(call: Call) -> str:
    return _LEAKY[call.attribute('act_type', 'leaky')](call)


def _softmax(call: Call) -> str:
    if call.attribute('temperature') not in (None, 1.0) or len(call.inputs) > 1:
        raise DataError('softmax with a temperature or lengths cannot be translated to ONNX')
    return call.emit('Softmax', call.inputs[0], axis=call.attribute('axis', -1))


def _split(call: Call) -> List[str]:
    axis, count = call.attribute('axis', 1), call.attribute('num_outputs')
    length = call.shapes[0][axis]
    if length is None:
        raise DataError(f'SliceChannel along axis {axis} cannot be translated to ONNX where the size of images is free')
    return call.emit('Split', call.inputs[0], outputs=count, axis=axis, split=[length // count] * count)


def _reshape(call: Call) -> str:
    shape = call.attribute('shape')
    if min(shape) < -1 or call.attribute('reverse', False):
        raise DataError(f"MXNet's Reshape to {shape} cannot be translated to ONNX: use sizes, 0 and -1 alone")
    return call.emit('Reshape', call.inputs[0], call.constant(np.array(shape, np.int64), 'shape'))


def _reduction(op: str) -> Callable[[Call], str]:
    return lambda call: call.emit(op, call.inputs[0], axes=call.axes(), keepdims=int(call.attribute('keepdims', False)))


def _plain(op: str) -> Callable[[Call], str]:
    return lambda call: call.emit(op, *call.inputs)


def _with_scalar(op: str, neutral: float) -> Callable[[Call], str]:
    def translate(call: Call) -> str:
        return call.inputs[0] if call.attribute('scalar') == neutral else call.emit(op, call.inputs[0], call.scalar())

    return translate


def _cast(call: Call) -> str:
    """To float32: of pixels, or of what has to be exact in every precision."""
    return call.exact(call.emit('Cast', call.inputs[0], to=_FLOAT))


def _clip(call: Call) -> str:
    limits = (call.constant(np.float32(call.attribute(name)), name) for name in ('a_min', 'a_max'))
    return call.emit('Clip', call.inputs[0], *limits)


def _log2(call: Call) -> str:
    return call.emit('Div', call.emit('Log', call.inputs[0]), call.constant(np.float32(math.log(2))))


def _same(call: Call) -> str:
    return call.inputs[0]


OPERATORS: Dict[str, Callable[[Call], Any]] = {
    'Convolution': _convolution,
    'Deconvolution': _deconvolution,
    'FullyConnected': _dense,
    'BatchNorm': _batch_norm,
    'InstanceNorm': lambda call: call.emit('InstanceNormalization', *call.inputs, epsilon=call.attribute('eps', 1e-3)),
    'Pooling': _pooling,
    'Activation': _activation,
    'LeakyReLU': _leaky,
    'sigmoid': _plain('Sigmoid'),
    'relu': _plain('Relu'),
    'exp': _plain('Exp'),
    'log': _plain('Log'),
    'sqrt': _plain('Sqrt'),
    'square': lambda call: call.emit('Mul', call.inputs[0], call.inputs[0]),
    'elemwise_add': _plain('Add'),
    'elemwise_sub': _plain('Sub'),
    'elemwise_mul': _plain('Mul'),
    'floor': _plain('Floor'),
    'softmax': _softmax,
    'broadcast_add': _plain('Add'),
    'broadcast_sub': _plain('Sub'),
    'broadcast_mul': _plain('Mul'),
    'broadcast_div': _plain('Div'),
    '_plus_scalar': _with_scalar('Add', 0),
    '_minus_scalar': _with_scalar('Sub', 0),
    '_mul_scalar': _with_scalar('Mul', 1),
    '_div_scalar': _with_scalar('Div', 1),
    '_minimum_scalar': _with_scalar('Min', math.inf),
    '_maximum_scalar': _with_scalar('Max', -math.inf),
    'broadcast_minimum': _plain('Min'),
    'clip': _clip,
    'log2': _log2,
    'max': _reduction('ReduceMax'),
    'min': _reduction('ReduceMin'),
    'prod': _reduction('ReduceProd'),
    'mean': _reduction('ReduceMean'),
    'sum': _reduction('ReduceSum'),
    'Concat': lambda call: call.emit('Concat', *call.inputs, axis=call.attribute('dim', 1)),
    'SliceChannel': _split,
    'Reshape': _reshape,
    'Flatten': lambda call: call.emit('Flatten', call.inputs[0], axis=1),
    'expand_dims': lambda call: call.emit('Unsqueeze', call.inputs[0], axes=call.axes()),
    'transpose': lambda call: call.emit('Transpose', call.inputs[0], perm=list(call.attribute('axes'))),
    'Cast': _cast,
    'BlockGrad': _same,
    'Dropout': _same,
    **SELECTION_OPERATORS,
    **RESIZING_OPERATORS,
}
"""MXNet's operator -> function of a :class:`Call` that adds nodes and returns the name of the output, or a list."""
_FLOAT = 1  # onnx.TensorProto.FLOAT


def translate(op: str, call: Call) -> Tuple[str, ...]:
    """Translate an operator.

    Args:
        op: name of the MXNet operator.
        call: its name, attributes and inputs, and the graph that nodes are added to.

    Returns:
        The names of its outputs.

    Raises:
        DataError: the operator has no row in :data:`OPERATORS`.
    """
    if op not in OPERATORS:
        raise DataError(f"MXNet's operator {op} cannot be translated to ONNX: export the network with --format symbol")
    outputs = OPERATORS[op](call)
    return tuple(outputs) if isinstance(outputs, list) else (outputs,)

"""Translations of operators that choose, order and place values: what detectors have after their last convolutions."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import numpy as np

from gluon_cbam.common.errors import DataError

from .call import Call
from .suppression import suppress

_FLOAT, _INT64, _BOOL = 1, 7, 9  # numbers of onnx.TensorProto
_END = np.iinfo(np.int64).max


def _arange_like(call: Call) -> str:
    """The places along an axis: a constant where its length is known, which the batch's is not."""
    axis = call.attribute('axis')
    usual = {'start': 0, 'step': 1, 'repeat': 1}
    if axis is None or any(call.attribute(name, value) != value for name, value in usual.items()):
        raise DataError('arange_like can be translated to ONNX along an axis, from 0 in steps of 1')
    length = call.shapes[0][axis] if axis else None
    if length is not None:
        return call.constant(np.arange(length, dtype=np.float32))
    zero, one = (call.constant(np.int64(value)) for value in (0, 1))
    return as_floats(call, call.emit('Range', zero, _length(call, call.inputs[0], axis), one))


def _length(call: Call, name: str, axis: int) -> str:
    """The length of an axis, an int64 without axes."""
    return call.emit('Gather', call.emit('Shape', name), call.constant(np.int64(axis)), axis=0)


def as_floats(call: Call, name: str) -> str:
    """A value as float32: MXNet has indices in float32 or float64, which are exact below 2^24, and ONNX in int64."""
    return call.emit('Cast', name, to=_FLOAT)


def _as_indices(call: Call, name: str) -> str:
    return call.emit('Cast', name, to=_INT64)


def _slice(call: Call, name: str, axis: int, begin: int, end: Optional[int]) -> str:
    bounds = [np.array([value], np.int64) for value in (begin, _END if end is None else end, axis)]
    return call.emit('Slice', name, *map(call.constant, bounds))


def _slice_axis(call: Call) -> str:
    axis, begin, end = (call.attribute(name) for name in ('axis', 'begin', 'end'))
    return _slice(call, call.inputs[0], axis, begin, end)


def _slice_axes(call: Call) -> str:
    """``slice``: a begin and an end for each of the first axes; an end may be beyond the last place, as in ONNX."""
    name = call.inputs[0]
    if any(step not in (None, 1) for step in call.attribute('step', ())):
        raise DataError('slice in steps cannot be translated to ONNX')
    for axis, (begin, end) in enumerate(zip(call.attribute('begin'), call.attribute('end'))):
        if (begin or 0) != 0 or end is not None:
            name = _slice(call, name, axis, begin or 0, end)
    return name


def _roi_align(call: Call) -> str:
    """MXNet has the image of a RoI first in its row, ONNX apart, and newer opsets move RoIs by half a pixel."""
    if call.attribute('position_sensitive', False) or call.attribute('aligned', False):
        raise DataError(
            'ROIAlign of this kind cannot be translated to ONNX: it must not be position sensitive or aligned'
        )
    (image, rois), (height, width) = call.inputs, call.attribute('pooled_size')
    numbers = call.emit('Gather', rois, call.constant(np.int64(0)), axis=1)
    return call.emit(
        'RoiAlign', image, _slice(call, rois, 1, 1, 5), _as_indices(call, numbers),
        output_height=height, output_width=width, sampling_ratio=call.attribute('sample_ratio', -1),
        spatial_scale=float(call.attribute('spatial_scale')), coordinate_transformation_mode='output_half_pixel',
    )  # fmt: skip


def _slice_like(call: Call) -> str:
    (data, like), sizes = call.inputs, call.shapes[1]
    axes = call.attribute('axes') or tuple(range(len(sizes)))
    for axis in axes:
        if sizes[axis] is not None:
            data = _slice(call, data, axis, 0, sizes[axis])
            continue
        end = call.emit('Unsqueeze', _length(call, like, axis), axes=[0])
        begin, place = (call.constant(np.array([value], np.int64)) for value in (0, axis))
        data = call.emit('Slice', data, begin, end, place)
    return data


def _stack(call: Call) -> str:
    axis = call.attribute('axis', 0)
    return call.emit('Concat', *(call.emit('Unsqueeze', name, axes=[axis]) for name in call.inputs), axis=axis)


def _take(call: Call) -> str:
    return call.emit('Gather', call.inputs[0], _as_indices(call, call.inputs[1]), axis=call.attribute('axis', 0))


def _gather_nd(call: Call) -> str:
    """MXNet has the axis of indices first, ONNX last."""
    order = [*range(1, len(call.shapes[1])), 0]
    return call.emit('GatherND', call.inputs[0], call.emit('Transpose', _as_indices(call, call.inputs[1]), perm=order))


def _topk(call: Call) -> Any:
    kind = call.attribute('ret_typ', 'indices')
    if kind not in ('both', 'value', 'indices'):
        raise DataError(f'topk with ret_typ={kind} cannot be translated to ONNX')
    values, places = call.emit(
        'TopK',
        call.inputs[0],
        call.constant(np.array([call.attribute('k', 1)], np.int64)),
        outputs=2,
        axis=call.attribute('axis', -1),
        largest=int(not call.attribute('is_ascend', False)),
    )
    if kind == 'value':
        return values
    return [values, as_floats(call, places)] if kind == 'both' else as_floats(call, places)


def _broadcast_axis(call: Call) -> str:
    """Axes of length 1 made longer; the lengths of the others stay, since Expand broadcasts."""
    axes, sizes = call.axes('axis'), call.axes('size')
    shape = np.ones(len(call.shapes[0]), np.int64)
    shape[axes] = sizes
    return call.emit('Expand', call.inputs[0], call.constant(shape))


def _up_sampling(call: Call) -> str:
    if call.attribute('sample_type') != 'nearest' or len(call.inputs) > 1:
        raise DataError('UpSampling of this kind cannot be translated to ONNX: repeat the pixels of one map')
    scale = call.attribute('scale')
    scales = call.constant(np.array([1, 1, scale, scale], np.float32))
    return call.emit(
        'Resize', call.inputs[0], '', scales,
        mode='nearest', coordinate_transformation_mode='asymmetric', nearest_mode='floor',
    )  # fmt: skip


def _zeros_like(call: Call) -> str:
    return call.emit('ConstantOfShape', call.emit('Shape', call.inputs[0]))


def _where(call: Call) -> str:
    """A condition of one axis chooses rows."""
    condition, *choices = call.inputs
    axes = list(range(len(call.shapes[0]), len(call.shapes[1])))
    chosen = call.emit('Cast', condition, to=_BOOL)
    return call.emit('Where', call.emit('Unsqueeze', chosen, axes=axes) if axes else chosen, *choices)


def _compared(op: str) -> Callable[[Call], str]:
    return lambda call: as_floats(call, call.emit(op, *call.inputs))


def _compared_with_scalar(op: str) -> Callable[[Call], str]:
    return lambda call: as_floats(call, call.emit(op, call.inputs[0], call.scalar()))


SELECTION_OPERATORS: Dict[str, Callable[[Call], Any]] = {
    '_contrib_arange_like': _arange_like,
    '_contrib_box_nms': suppress,
    '_contrib_ROIAlign': _roi_align,
    '_equal': _compared('Equal'),
    '_equal_scalar': _compared_with_scalar('Equal'),
    '_greater_equal_scalar': _compared_with_scalar('GreaterOrEqual'),
    '_greater_scalar': _compared_with_scalar('Greater'),
    'zeros_like': _zeros_like,
    'ones_like': lambda call: call.emit('Add', _zeros_like(call), call.constant(np.float32(1))),
    'broadcast_axis': _broadcast_axis,
    'gather_nd': _gather_nd,
    'slice': _slice_axes,
    'slice_axis': _slice_axis,
    'slice_like': _slice_like,
    'stack': _stack,
    'take': _take,
    'topk': _topk,
    'where': _where,
    'UpSampling': _up_sampling,
}
"""Rows of :data:`.operators.OPERATORS`."""

"""Translations of operators that resize a map to the size of another one: what networks of segmentation end with."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError

from .call import Call


def _lengths(call: Call, name: str, axes: Sequence[int]) -> str:
    """The lengths of some axes of a value: (n,) int64."""
    return call.emit('Gather', call.emit('Shape', name), call.constant(np.array(axes, np.int64)), axis=0)


def _bilinear_resize(call: Call) -> str:
    if call.attribute('mode', 'size') != 'like' or not call.attribute('align_corners', True):
        raise DataError('BilinearResize2D can be translated to ONNX with mode=like and aligned corners')
    data, like = call.inputs
    sizes = call.emit('Concat', _lengths(call, data, (0, 1)), _lengths(call, like, (2, 3)), axis=0)
    return call.emit('Resize', data, '', '', sizes, mode='linear', coordinate_transformation_mode='align_corners')


def _broadcast_like(call: Call) -> str:
    data, like = call.inputs
    axes, places = call.attribute('rhs_axes'), call.attribute('lhs_axes')
    if axes is places is None:
        return call.emit('Expand', data, call.emit('Shape', like))
    count = len(call.shapes[0])
    if axes is None or tuple(axes) != tuple(places) or tuple(axes) != tuple(range(count - len(axes), count)):
        raise DataError('broadcast_like can be translated to ONNX along the last axes of both inputs')
    ones = call.constant(np.ones(count - len(axes), np.int64))
    return call.emit('Expand', data, call.emit('Concat', ones, _lengths(call, like, axes), axis=0))


RESIZING_OPERATORS: Dict[str, Callable[[Call], Any]] = {
    '_contrib_BilinearResize2D': _bilinear_resize,
    'broadcast_like': _broadcast_like,
}
"""Rows of :data:`.operators.OPERATORS`."""

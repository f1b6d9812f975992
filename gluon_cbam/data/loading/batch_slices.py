"""Parts of a batch that threads fill, in the memory of the arrays that are trained on."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, List, NamedTuple, Tuple

import mxnet as mx
import numpy as np
from mxnet.base import _LIB, check_call


class BatchSlice(NamedTuple):
    """A few images of a batch, which one thread decodes.

    Attributes:
        images: images of the whole batch, uint8.
        pixels: the memory of ``images``.
        labels: labels of the whole batch.
        rows: indices of the slice within the batch.
        first: position of row 0 in the order of the epoch.
        planned: plans a row, see :meth:`.epochs.RecordBatches.planned`.
    """

    images: mx.nd.NDArray
    pixels: np.ndarray
    labels: List[Any]
    rows: range
    first: int
    planned: Callable[..., Callable[[], Tuple[np.ndarray, Any]]]


def memory_of(array: mx.nd.NDArray) -> np.ndarray:
    """The memory of an array on the CPU, to be written to before the array is used elsewhere.

    Writing here avoids ``mx.nd.array``, which takes ten times as long as the copy that it makes.

    Args:
        array: the array.

    Returns:
        An array of the same shape and type, which must not be used longer than ``array``.
    """
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    of_type = ctypes.POINTER(np.ctypeslib.as_ctypes_type(array.dtype))
    return np.ctypeslib.as_array(ctypes.cast(pointer, of_type), shape=array.shape)


def copied(values: np.ndarray) -> mx.nd.NDArray:
    """A copy of an array, on the CPU, without the 0.3 ms that ``mx.nd.array`` takes for a few numbers.

    Args:
        values: the values, of a type of mxnet.
    """
    array = mx.nd.empty(values.shape, dtype=values.dtype)
    memory_of(array)[...] = values
    return array

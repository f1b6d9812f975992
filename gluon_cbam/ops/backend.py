"""Selection of the ops backend that computes the operations of attention."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Optional

import mxnet as mx
import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .graph_backend import GraphBackend
from .library import load
from .native_backend import NativeBackend
from .reference_backend import FeatureMap, ReferenceBackend
from .status import requested_backend

__all__ = [
    'FeatureMap',
    'GraphBackend',
    'NativeBackend',
    'ReferenceBackend',
    'native_operators',
    'select_backend',
]

_TYPES = (np.float32, np.float64)


def native_operators(x: Tensor) -> Optional[SimpleNamespace]:
    """The compiled operators for an array or a symbol.

    Args:
        x: the array or symbol that the operators are applied to.

    Returns:
        Functions by name, of arrays or of symbols; None where MXNet's operators are to be used.

    Raises:
        UsageError: ``CBAM_KERNELS`` in the environment has an unknown value.
    """
    if requested_backend() != 'auto':
        return None
    if isinstance(x, mx.nd.NDArray):
        fits = x.context.device_type == 'cpu' and x.dtype in _TYPES and x.stype == 'default'
    else:
        fits = tracing.is_traced_for_cpu(x)
    library = load() if fits else None
    if library is None:
        return None
    return library.nd if isinstance(x, mx.nd.NDArray) else library.sym


def select_backend(F: OpNamespace, x: Tensor) -> ReferenceBackend:
    """Choose the backend for the operations of attention.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        x: the map, (N, C, H, W).

    Returns:
        The native backend for float32 and float64 on the CPU if the compiled operators can be used; without them, in
        hybridized networks on the CPU, the graph backend; otherwise, and with ``CBAM_KERNELS=plain`` in the
        environment, the reference backend.

    Raises:
        UsageError: ``CBAM_KERNELS`` in the environment has an unknown value.
    """
    operators = native_operators(x)
    if operators is not None:
        return NativeBackend(F, operators, tracing.is_traced_for_inference())
    if requested_backend() != 'plain' and tracing.is_traced_for_cpu(x):
        return GraphBackend(F)
    return ReferenceBackend(F)

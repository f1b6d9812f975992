"""The base class of networks and modules: a HybridBlock that checks the shape of its input."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.common.types import Tensor
from gluon_cbam.ops.tracing import FusedBlock


class CheckedBlock(FusedBlock):
    """A HybridBlock of one (N, C, H, W) input, whose shape is checked whenever it is called with an array.

    It is not checked for symbols, which have no shape, nor inside a hybridized parent.
    """

    _in_channels: Optional[int] = None
    """Channels that the input must have, or None for any."""
    _smallest: int = 1
    """Height and width that the input must have at least."""
    adaptable: Tuple[str, ...] = ()
    """Prefixes of the names of parameters whose shapes depend on the classes or the input channels: fine-tuning may
    initialize these again."""

    _half_dense: bool = False
    """Whether dense layers of the block were cast to float16."""

    def cast(self, dtype: Any) -> None:
        """Cast the parameters; see :meth:`mxnet.gluon.Block.cast`. A network in float16 runs on GPUs alone."""
        super().cast(dtype)
        half = dtype == 'float16' if isinstance(dtype, str) else np.dtype(dtype) == np.float16
        self._half_dense = half and _has_dense(self)

    def forward(self, x: Tensor, *args: Any) -> Tensor:
        """Check an array's shape and device, then call the block as a HybridBlock."""
        if isinstance(x, mx.nd.NDArray):
            self._check_array(x)
        return super().forward(x, *args)

    def _check_array(self, x: mx.nd.NDArray) -> None:
        self.check_input(x.shape)
        if self._half_dense and x.context.device_type == 'cpu':
            raise EnvironmentProblem(
                f'{type(self).__name__} was cast to float16, in which MXNet has no dense layers on a CPU: use a '
                "GPU, or net.cast('float32'), or gluon_cbam.quantize(net, images) for int8 on the CPU"
            )

    def penalty(self, ctx: mx.Context) -> Optional[mx.nd.NDArray]:
        """The penalty that a training loop adds to the mean loss, (1,) on ``ctx``; None for no penalty."""

    def check_input(self, shape: Tuple[int, ...]) -> None:
        """Check the shape of an input.

        Args:
            shape: the shape, which must be (N, C, H, W).

        Raises:
            ValueError: the shape does not fit; the message has the shape.
        """
        name = type(self).__name__
        if len(shape) != 4:
            raise ValueError(f'{name} takes a 4-dimensional (N, C, H, W) input, got {len(shape)} dimensions: {shape}')
        if self._in_channels is not None and shape[1] != self._in_channels:
            raise ValueError(f'{name} takes {self._in_channels} channels (N, C, H, W), got {shape[1]} in {shape}')
        if min(shape[2:]) < self._smallest:
            raise ValueError(
                f'{name} takes inputs of at least {self._smallest} x {self._smallest}, got {shape[2]} x {shape[3]}'
            )


def _has_dense(block: mx.gluon.Block) -> bool:
    return any(isinstance(child, mx.gluon.nn.Dense) or _has_dense(child) for child in block._children.values())


def hidden_channels(channels: int, reduction: int) -> int:
    """The width inside an attention module, ``channels // reduction``.

    Raises:
        ValueError: an argument is no positive integer, or no hidden unit is left.
    """
    hidden = positive_int('channels', channels) // positive_int('reduction', reduction)
    if hidden == 0:
        raise ValueError(
            f'reduction {reduction} leaves no hidden unit for {channels} channels: use at most {channels}, '
            f'--option reduction={channels}'
        )
    return hidden


def positive_int(name: str, value: Any) -> int:
    """Return ``value`` if it is a positive int.

    Raises:
        ValueError: it is not a positive int; the message has ``name`` and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'{name} must be a positive integer, got {value!r}')
    return value


def boolean(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False; a text such as ``'no'`` would count as true.

    Raises:
        ValueError: it is neither; the message has ``name`` and the value.
    """
    if not isinstance(value, bool):
        raise ValueError(f'{name} must be True or False, got {value!r}')
    return value

"""Gluon's convolution, alone and several of one map at once, with Winograd's algorithm where it is faster."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .backend import native_operators
from .library import CONVOLUTION

_FITS = {'kernel': (3, 3), 'stride': (1, 1), 'pad': (1, 1), 'dilate': (1, 1), 'num_group': 1}
_OUTPUTS = 32  # Winograd's algorithm runs where the outputs are a multiple, for all instructions


class Conv2D(tracing.FusedBlock, nn.Conv2D):
    """``mxnet.gluon.nn.Conv2D`` that runs Winograd's algorithm where that is faster.

    This is the case in hybridized blocks on CPUs with AVX2 or AVX-512, for kernels of 3 x 3, stride and padding of 1
    (native/convolution_operators.cc). Outputs then differ from those of MXNet's convolution by about 2e-6 of the
    largest, and gradients likewise. Parameters, exports and everything else are the same as gluon's.
    """

    def hybrid_forward(self, F: OpNamespace, x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
        """See :class:`Conv2D`."""
        # the fusion for quantized networks supports MXNet's own operator only
        if self._fits and tracing.is_traced_for_cpu(x) and not tracing.is_traced_for_quantization():
            operators = native_operators(x)
            if operators is not None:
                return getattr(operators, CONVOLUTION)(x, weight, name='fwd', **self._kwargs)
        return super().hybrid_forward(F, x, weight, bias)

    @property
    def _fits(self) -> bool:
        return _fits(self) and self._kwargs['no_bias']


def convolve_together(F: OpNamespace, x: Tensor, convolutions: Sequence[nn.Conv2D]) -> List[Tensor]:
    """Apply several convolutions to one map.

    In hybridized blocks on CPUs they run as one convolution with the weights of all of them, filled up with zeros, by
    Winograd's algorithm; see :class:`Conv2D` for when and how exact that is. Otherwise each is called.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        x: (N, C, H, W).
        convolutions: children of the block that calls this, with C channels of input and a bias.

    Returns:
        The output of each.
    """
    operators = None
    if tracing.is_traced_for_cpu(x) and not tracing.is_traced_for_quantization() and all(map(_joins, convolutions)):
        operators = native_operators(x)
    if operators is None:
        return [each(x) for each in convolutions]
    weights, biases = ([getattr(each, kind).var() for each in convolutions] for kind in ('weight', 'bias'))
    counts = [each._channels for each in convolutions]
    missing = -sum(counts) % _OUTPUTS
    if missing:
        weights.append(F.zeros((missing, *convolutions[0].weight.shape[1:])))
        biases.append(F.zeros((missing,)))
    settings: Dict[str, Any] = {**convolutions[0]._kwargs, 'num_filter': sum(counts) + missing, 'no_bias': True}
    y = getattr(operators, CONVOLUTION)(x, F.concat(*weights, dim=0), name='fwd', **settings)
    y = F.broadcast_add(y, F.concat(*biases, dim=0).reshape((1, -1, 1, 1)))
    ends = [sum(counts[: number + 1]) for number in range(len(counts))]
    return [F.slice_axis(y, axis=1, begin=end - count, end=end) for count, end in zip(counts, ends)]


def _joins(convolution: nn.Conv2D) -> bool:
    """Whether a convolution can be computed together with others."""
    watched = convolution._forward_hooks or convolution._forward_pre_hooks
    return _fits(convolution) and convolution.bias is not None and not watched


def _fits(convolution: nn.Conv2D) -> bool:
    return convolution.act is None and all(convolution._kwargs[name] == value for name, value in _FITS.items())

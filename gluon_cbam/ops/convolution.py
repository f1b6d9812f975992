"""Gluon's convolution, with Winograd's algorithm where it is faster."""

from __future__ import annotations

from typing import Optional

from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .backend import native_operators
from .library import CONVOLUTION

_FITS = {'kernel': (3, 3), 'stride': (1, 1), 'pad': (1, 1), 'dilate': (1, 1), 'num_group': 1, 'no_bias': True}


class Conv2D(tracing.FusedBlock, nn.Conv2D):
    """``mxnet.gluon.nn.Conv2D`` that runs Winograd's algorithm where that is faster.

    This is the case in hybridized blocks on CPUs with AVX2 or AVX-512, for kernels of 3 x 3, stride and padding of 1
    (native/convolution_operators.cc). Outputs then differ from those of MXNet's convolution by about 2e-6 of the
    largest, and gradients likewise. Parameters, exports and everything else are the same as gluon's.
    """

    def hybrid_forward(self, F: OpNamespace, x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
        """See :class:`Conv2D`."""
        # the fusion for quantized networks supports MXNet's own operator only
        if self._fits and tracing.is_traced_for_cpu(x) and not tracing.is_traced_for_inference():
            operators = native_operators(x)
            if operators is not None:
                return getattr(operators, CONVOLUTION)(x, weight, name='fwd', **self._kwargs)
        return super().hybrid_forward(F, x, weight, bias)

    @property
    def _fits(self) -> bool:
        return self.act is None and all(self._kwargs[name] == value for name, value in _FITS.items())

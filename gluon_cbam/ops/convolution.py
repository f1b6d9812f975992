"""The convolution of networks: gluon's, with a faster algorithm where there is one."""

from __future__ import annotations

from typing import Optional

from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .backend import native_operators
from .library import CONVOLUTION

_FITS = {'kernel': (3, 3), 'stride': (1, 1), 'pad': (1, 1), 'dilate': (1, 1), 'num_group': 1, 'no_bias': True}


class Conv2D(tracing.FusedBlock, nn.Conv2D):
    """``mxnet.gluon.nn.Conv2D``, which runs Winograd's algorithm where that is faster.

    That is in hybridized blocks on the CPU, for kernels of 3 x 3 with stride and padding of 1
    (native/convolution_operators.cc).
    Outputs then differ from those of MXNet's convolution by about 2e-6 of the largest, gradients likewise. Parameters,
    exports and everything else are gluon's.
    """

    def hybrid_forward(self, F: OpNamespace, x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
        """See :class:`Conv2D`."""
        # the fusion for quantized networks knows MXNet's own operator only
        if self._fits and tracing.is_building(x) and not tracing.is_for_inference():
            operators = native_operators(x)
            if operators is not None:
                return getattr(operators, CONVOLUTION)(x, weight, name='fwd', **self._kwargs)
        return super().hybrid_forward(F, x, weight, bias)

    @property
    def _fits(self) -> bool:
        return self.act is None and all(self._kwargs[name] == value for name, value in _FITS.items())

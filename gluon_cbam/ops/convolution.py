"""The convolution of networks: gluon's, which takes a faster algorithm where there is one."""

from __future__ import annotations

from mxnet.gluon import nn

from . import tracing
from .backend import compiled
from .library import CONVOLUTION

_FITS = {'kernel': (3, 3), 'stride': (1, 1), 'pad': (1, 1), 'dilate': (1, 1), 'num_group': 1, 'no_bias': True}


class Conv2D(nn.Conv2D):
    """``mxnet.gluon.nn.Conv2D``; hybridized on a CPU, 3 x 3 kernels with stride and padding of 1 run by Winograd's
    algorithm where that is faster (native/convolution_operators.cc).

    Outputs then differ from those of MXNet's convolution by about 2e-6 of the largest, gradients likewise. Parameters,
    exports and everything else are gluon's.
    """

    def hybrid_forward(self, F, x, weight, bias=None):
        # the fusion for quantized networks knows MXNet's own operator only
        if self._fits and tracing.is_building(x) and not tracing.is_for_inference():
            operators = compiled(x)
            if operators:
                return getattr(operators, CONVOLUTION)(x, weight, name='fwd', **self._kwargs)
        return super().hybrid_forward(F, x, weight, bias)

    @property
    def _fits(self) -> bool:
        return self.act is None and all(self._kwargs[name] == value for name, value in _FITS.items())

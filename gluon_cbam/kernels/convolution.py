"""The convolution of networks: gluon's, which takes a faster algorithm where there is one."""

from __future__ import annotations

from mxnet.gluon import nn

from . import tracing
from .library import CONVOLUTION, load
from .status import choice

tracing.install()
_FITS = {'kernel': (3, 3), 'stride': (1, 1), 'pad': (1, 1), 'dilate': (1, 1), 'num_group': 1, 'no_bias': True}


class Conv2D(nn.Conv2D):
    """``mxnet.gluon.nn.Conv2D``; hybridized on a CPU, 3 x 3 kernels with stride and padding of 1 run by Winograd's
    algorithm where that is faster (native/convolution_operators.cc).

    Outputs then differ from those of MXNet's convolution by about 2e-6 of the largest, gradients likewise. Parameters,
    exports and everything else are gluon's.
    """

    def hybrid_forward(self, F, x, weight, bias=None):
        operator = self._operator(x)
        if operator is None:
            return super().hybrid_forward(F, x, weight, bias)
        return operator(x, weight, name='fwd', **self._kwargs)

    def _operator(self, x):
        fits = self.act is None and all(self._kwargs[name] == value for name, value in _FITS.items())
        # the fusion for quantized networks knows MXNet's own operator only
        if not fits or choice() != 'auto' or not tracing.is_building(x) or tracing.is_for_inference():
            return None
        library = load()
        return getattr(library.sym, CONVOLUTION) if library else None

"""PReLU on a compiled operator.

MXNet's own takes a third of the training step of a network with many of them, and learns wrongly in graphs.
"""

from __future__ import annotations

import mxnet as mx
from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .backend import native_operators


class PReLU(tracing.FusedBlock, nn.PReLU):
    """``mxnet.gluon.nn.PReLU``, faster where it runs; the parameter, the values and the exports are the same.

    It gives x where x > 0 and alpha * x elsewhere; at 0 the gradient of x is the one of a negative value, as with
    MXNet's operator.

    Args:
        alpha_initializer: the initializer of the slopes; default 0.25.
        in_channels: number of slopes: C, or 1 for all channels alike; default 1.

    Inputs:
        (N, C, ...).

    Outputs:
        of the same shape.
    """

    def hybrid_forward(self, F: OpNamespace, x: Tensor, alpha: Tensor) -> Tensor:
        """See :class:`PReLU`."""
        operators = native_operators(x)
        if operators is not None:
            return operators.prelu(x, alpha)
        if isinstance(x, mx.nd.NDArray) or tracing.is_exporting():
            return super().hybrid_forward(F, x, alpha)
        return _in_parts(F, x, alpha)


def _in_parts(F: OpNamespace, x: Tensor, alpha: Tensor) -> Tensor:
    """PReLU from several operators, for graphs that may be trained.

    There LeakyReLU of MXNet 1.9.1 gives alpha a gradient that is alpha times the right one: it overwrites an input of
    that gradient with the gradient of x.
    """
    rows = F.reshape(F.minimum(x, 0), shape=(0, 0, -1))  # (N, C, positions), whatever the input has
    negative = F.broadcast_mul(rows, F.reshape(alpha, shape=(1, -1, 1)))
    return F.Activation(x, act_type='relu') + F.reshape_like(negative, x)

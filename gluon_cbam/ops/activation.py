"""PReLU on a compiled operator.

MXNet's operator takes a third of the training step of a network with many PReLUs, and its gradient is wrong in graphs.
"""

from __future__ import annotations

import mxnet as mx
from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .backend import native_operators


class PReLU(tracing.FusedBlock, nn.PReLU):
    """``mxnet.gluon.nn.PReLU`` on a faster operator; the parameter, the values and the exports are the same.

    It gives x where x > 0 and alpha * x elsewhere; at 0 the gradient of x is the one of a negative value, as with
    MXNet's operator.

    Args:
        alpha_initializer: the initializer of the slopes; default 0.25.
        in_channels: number of slopes: C, or 1 for all channels alike; default 1.

    Inputs:
        (N, C, ...).

    Outputs:
        (N, C, ...), the shape of the input.
    """

    def hybrid_forward(self, F: OpNamespace, x: Tensor, alpha: Tensor) -> Tensor:
        """See :class:`PReLU`."""
        operators = native_operators(x)
        if operators is not None:
            return operators.prelu(x, alpha)
        if isinstance(x, mx.nd.NDArray) or tracing.is_traced_for_export():
            return super().hybrid_forward(F, x, alpha)
        return _in_parts(F, x, alpha)


def _in_parts(F: OpNamespace, x: Tensor, alpha: Tensor) -> Tensor:
    """PReLU composed of several operators, for graphs that may be trained.

    In graphs, LeakyReLU of MXNet 1.9.1 computes a gradient of alpha that is alpha times the correct one: it overwrites
    an input of that gradient with the gradient of x.
    """
    rows = F.reshape(F.minimum(x, 0), shape=(0, 0, -1))  # (N, C, positions), for any number of axes
    negative = F.broadcast_mul(rows, F.reshape(alpha, shape=(1, -1, 1)))
    return F.Activation(x, act_type='relu') + F.reshape_like(negative, x)

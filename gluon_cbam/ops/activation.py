"""PReLU on the compiled operators: MXNet's own takes a third of a training step of a network that is full of it, and
learns wrongly in graphs."""

from __future__ import annotations

from mxnet.gluon import nn

from . import tracing
from .backend import compiled


class PReLU(nn.PReLU):
    """MXNet's block where it is exported, and faster where it runs: the same parameter, the same values.

    x where x > 0 and alpha * x elsewhere; at 0 the gradient of x is that of a negative value, as of MXNet's operator.

    Args:
        alpha_initializer: of the slopes; default 0.25.
        in_channels: slopes: C, or 1 for all channels alike; default 1.

    Inputs:
        (N, C, ...).

    Outputs:
        of the same shape.
    """

    def hybrid_forward(self, F, x, alpha):
        operators = compiled(x)
        if operators:
            return operators.prelu(x, alpha)
        return _in_parts(F, x, alpha) if tracing.is_running(x) else super().hybrid_forward(F, x, alpha)


def _in_parts(F, x, alpha):
    """The same of several operators, for graphs: there LeakyReLU of MXNet 1.9.1 gives alpha a gradient that is alpha
    times the right one, since it writes that of x over what it is made from."""
    rows = F.reshape(F.minimum(x, 0), shape=(0, 0, -1))  # (N, C, positions), whatever the input has
    negative = F.broadcast_mul(rows, F.reshape(alpha, shape=(1, -1, 1)))
    return F.Activation(x, act_type='relu') + F.reshape_like(negative, x)

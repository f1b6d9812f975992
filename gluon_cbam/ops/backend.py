"""The passes of attention over a map, in the form that is best where they run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple, Optional, Sequence, Tuple, Union

import mxnet as mx
import numpy as np

from . import tracing
from .library import load
from .status import choice

tracing.install()
_TYPES = (np.float32, np.float64)


class Gated(NamedTuple):
    """A map with the channel gate that is still to be applied to it.

    Attributes:
        x: (N, C, H, W).
        channel: (N, C), or None.
    """

    x: Any
    channel: Any = None


class Compiled:
    """The operators of native/: each pass over the map is one operator.

    The map comes out of each pass again, for the next one to take: native/operators.cc says why.

    Args:
        operators: of arrays or of symbols.
        for_inference: whether no gradients will be asked for.

    Attributes:
        has_gates: whether :meth:`gate` and :meth:`spatial_gate` can be called.
    """

    def __init__(self, operators, for_inference: bool = False):
        self._operators = operators
        self.has_gates = for_inference

    def gate(self, mean, maximum, fc1, fc2):
        """A channel gate, (N, C), of pooled vectors: the sigmoid of the sum of what one MLP makes of both.

        Args:
            mean: (N, C).
            maximum: (N, C).
            fc1: the first dense layer of the MLP, with ReLU and a bias.
            fc2: the second, with a bias.
        """
        layers = (fc1.weight, fc1.bias, fc2.weight, fc2.bias)
        return self._operators.gate(mean, maximum, *(parameter.var() for parameter in layers))

    def spatial_gate(self, maps, conv, norm):
        """A spatial gate, (N, 1, H, W), of two descriptors: the sigmoid of a convolution and BatchNorm.

        Args:
            maps: (N, 2, H, W).
            conv: to one channel, without a bias, which keeps the size.
            norm: BatchNorm with the usual epsilon, 1e-5.
        """
        parameters = conv.weight, norm.gamma, norm.beta, norm.running_mean, norm.running_var
        return self._operators.spatial_gate(maps, *(parameter.var() for parameter in parameters))

    def pool(self, x) -> Tuple[Any, Any, Any]:
        """(mean, maximum, x) over the positions, (N, C) each, and the map."""
        return tuple(self._operators.pool(x))

    def describe(self, gated: Gated, descriptors: Sequence[str]) -> Tuple[Any, Gated]:
        """``max`` and ``mean`` over the channels of the gated map, (N, 2, H, W), in this order, and the map."""
        gate = '' if gated.channel is None else '_gated'
        operator = getattr(self._operators, f'describe{gate}_{"_".join(descriptors)}')
        described, x = operator(*(array for array in gated if array is not None))
        return described, Gated(x, gated.channel)

    def scale(self, gated: Gated, spatial=None, shortcut=None, relu: bool = False):
        """The map times its gates, (N, C) and (N, 1, H, W), plus the shortcut, then ReLU."""
        given = {'_channel': gated.channel, '_spatial': spatial, '_add': shortcut}
        name = ''.join(part for part, array in given.items() if array is not None) + ('_relu' if relu else '')
        operator = getattr(self._operators, f'scale{name}')
        return operator(gated.x, *(array for array in given.values() if array is not None))


class Graph:
    """MXNet's operators, chosen for speed.

    A mean over channels is a convolution, which takes a tenth of the time of ``F.mean``. A maximum is picked by where
    it is, which is looked for in rows of channels: a third of the time of ``F.max``, a sixth with its gradient, which
    needs no map more to be kept; a pooling of the rows, as fast on the whole, would keep them.

    Args:
        F: mxnet.ndarray or mxnet.symbol.
    """

    has_gates = False

    def __init__(self, F):
        self._F = F

    def pool(self, x) -> Tuple[Any, Any, Any]:
        """As of :class:`Compiled`."""
        F = self._F
        pooled = (F.flatten(F.Pooling(x, global_pool=True, pool_type=kind)) for kind in ('avg', 'max'))
        return (*pooled, x)

    def describe(self, gated: Gated, descriptors: Sequence[str]) -> Tuple[Any, Gated]:
        """As of :class:`Compiled`; the map is gated already when it comes out."""
        F, x = self._F, gated.x
        if gated.channel is not None:
            x = F.broadcast_mul(x, _map(gated.channel))
        described = {'max': self._maximum(x), 'mean': self._mean(x)}
        return F.concat(*(described[name] for name in descriptors), dim=1), Gated(x)

    def _maximum(self, x):
        F = self._F
        rows = F.transpose(F.BlockGrad(x), axes=(0, 2, 3, 1))  # (N, H, W, C)
        return F.pick(x, F.argmax(rows, axis=3), axis=1, keepdims=True)  # (N, 1, H, W)

    def _mean(self, x):
        F = self._F
        ones = F.ones_like(F.slice(x, begin=(0, None, 0, 0), end=(1, None, 1, 1)))  # (1, C, 1, 1)
        kernel = F.broadcast_div(ones, F.sum(ones))
        return F.Convolution(x, kernel, kernel=(1, 1), num_filter=1, no_bias=True)

    def scale(self, gated: Gated, spatial=None, shortcut=None, relu: bool = False):
        """As of :class:`Compiled`."""
        F, x = self._F, gated.x
        for gate in (None if gated.channel is None else _map(gated.channel), spatial):
            x = x if gate is None else F.broadcast_mul(x, gate)
        return finish(F, x, shortcut, relu)


def finish(F, x, shortcut=None, relu: bool = False):
    """A map plus a shortcut, then ReLU, in MXNet's operators.

    Args:
        F: mxnet.ndarray or mxnet.symbol.
        x: (N, C, H, W).
        shortcut: of the same shape; default none.
        relu: whether a ReLU follows.
    """
    x = x if shortcut is None else x + shortcut
    return F.Activation(x, act_type='relu') if relu else x


def _map(channel):
    return channel.expand_dims(2).expand_dims(3)  # (N, C, 1, 1)


def compiled(x) -> Optional[SimpleNamespace]:
    """The compiled operators for an array or a symbol; None where MXNet's are to be used.

    Args:
        x: what the operators are to be applied to.
    """
    if choice() != 'auto':
        return None
    if isinstance(x, mx.nd.NDArray):
        fits = x.context.device_type == 'cpu' and x.dtype in _TYPES and x.stype == 'default'
    else:
        fits = tracing.is_building(x)
    library = load() if fits else None
    return library and (library.nd if isinstance(x, mx.nd.NDArray) else library.sym)


def form(F, x) -> Optional[Union[Compiled, Graph]]:
    """How attention runs on a map.

    Args:
        F: mxnet.ndarray or mxnet.symbol.
        x: the map.

    Returns:
        The passes; None where the module is to do what its definition says.
    """
    operators = compiled(x)
    if operators:
        return Compiled(operators, tracing.is_for_inference())
    return Graph(F) if choice() != 'plain' and tracing.is_building(x) else None

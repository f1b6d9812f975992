"""The operations of attention on the compiled operators of native/."""

from __future__ import annotations

from types import SimpleNamespace
from typing import List, Optional, Sequence

import mxnet as mx
from mxnet.gluon import Parameter, nn

from gluon_cbam.common.types import OpNamespace, Tensor

from . import tracing
from .graph_backend import FastBackend
from .library import GATE_CONVOLUTIONS
from .reference_backend import FeatureMap, add_relu

_BATCH_NORM_EPSILON = 1e-5  # as in native/quantized_operators.cc
_MOST_MAPS = 4  # that the operators gate_convolution are faster with than oneDNN


class NativeBackend(FastBackend):
    """The compiled operators, each of which reads the map once.

    Gates are deferred: the operators that read the map multiply it with the channel gate, which are
    :meth:`channel_pool` and the one that also applies the spatial gate, the shortcut and ReLU. Every operator returns
    the map as the input of the next one, see native/operators.cc. Ties of maxima over channels are resolved as in
    :class:`.graph_backend.GraphBackend`.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        operators: the compiled operators of arrays or of symbols.
        for_inference: whether no gradients are needed; then each gate of two poolings is one operator.
    """

    def __init__(self, F: OpNamespace, operators: SimpleNamespace, for_inference: bool = False) -> None:
        super().__init__(F)
        self._operators, self._for_inference = operators, for_inference

    def global_pool(self, x: FeatureMap, kinds: Sequence[str]) -> List[Tensor]:
        """See :meth:`.reference_backend.ReferenceBackend.global_pool`."""
        if not set(kinds) <= {'avg', 'max'}:
            return super().global_pool(x, kinds)
        mean, maximum, x.tensor = self._operators.global_pool(self.materialize(x))
        pooled = {'avg': mean, 'max': maximum}
        return [pooled[kind] for kind in kinds]

    def channel_pool(self, x: FeatureMap, kinds: Sequence[str]) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.channel_pool`."""
        if x.spatial is not None:
            self.materialize(x)
        order = tuple(kinds) if len(kinds) == 2 else ('max', 'mean')
        gate = () if x.channel is None else (x.channel,)
        operator = getattr(self._operators, f'channel_pool{"_gated" if gate else ""}_{"_".join(order)}')
        pooled, x.tensor = operator(x.tensor, *gate)
        if len(kinds) == 2:
            return pooled
        index = order.index(kinds[0])
        return self.F.slice_axis(pooled, axis=1, begin=index, end=index + 1)

    def channel_gate(self, vectors: Sequence[Tensor], fc1: nn.Dense, fc2: nn.Dense, gate: str) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.channel_gate`."""
        fits = len(vectors) == 2 and gate == 'sigmoid' and _is_mlp(fc1, fc2)
        if not self._for_inference or not fits:
            return super().channel_gate(vectors, fc1, fc2, gate)
        return self._operators.channel_gate(*vectors, *_variables(fc1.weight, fc1.bias, fc2.weight, fc2.bias))

    def spatial_logits(self, maps: Tensor, conv: nn.Conv2D, norm: Optional[nn.BatchNorm]) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.spatial_logits`; one operator with the convolution's bias."""
        # the fusion for quantized networks supports MXNet's own operator only
        if tracing.is_traced_for_quantization() or not _is_gate_convolution(conv):
            return super().spatial_logits(maps, conv, norm)
        parameters = [conv.weight] if conv.bias is None else [conv.weight, conv.bias]
        operator = getattr(self._operators, GATE_CONVOLUTIONS[len(parameters) - 1])
        logits = operator(maps, *_values(maps, *parameters))
        return logits if norm is None else norm(logits)

    def spatial_gate(self, maps: Tensor, conv: nn.Conv2D, norm: Optional[nn.BatchNorm], gate: str) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.spatial_gate`."""
        if not self._for_inference or gate != 'sigmoid' or norm is None or not _is_spatial_gate(conv, norm):
            return super().spatial_gate(maps, conv, norm, gate)
        parameters = conv.weight, norm.gamma, norm.beta, norm.running_mean, norm.running_var
        return self._operators.spatial_gate(maps, *_variables(*parameters))

    def scale(self, x: FeatureMap, channel: Optional[Tensor] = None, spatial: Optional[Tensor] = None) -> FeatureMap:
        """See :meth:`.reference_backend.ReferenceBackend.scale`; the gates are deferred."""
        if x.spatial is not None or (channel is not None and x.channel is not None):
            self.materialize(x)
        return FeatureMap(x.tensor, x.channel if channel is None else channel, spatial)

    def materialize(self, x: FeatureMap) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.materialize`."""
        x.tensor, x.channel, x.spatial = self.add_relu(x), None, None
        return x.tensor

    def add_relu(self, x: FeatureMap, shortcut: Optional[Tensor] = None, relu: bool = False) -> Tensor:
        """See :meth:`.reference_backend.ReferenceBackend.add_relu`; one operator with the deferred gates."""
        if x.channel is None and x.spatial is None:
            return add_relu(self.F, x.tensor, shortcut, relu)
        inputs = {'_channel': x.channel, '_spatial': x.spatial, '_add': shortcut}
        present = {part: tensor for part, tensor in inputs.items() if tensor is not None}
        operator = getattr(self._operators, f'scale{"".join(present)}{"_relu" if relu else ""}')
        return operator(x.tensor, *present.values())


def _variables(*parameters: Parameter) -> List[Tensor]:
    return [parameter.var() for parameter in parameters]


def _values(like: Tensor, *parameters: Parameter) -> List[Tensor]:
    """Parameters as arrays on the device of an array, or as symbols."""
    if isinstance(like, mx.nd.NDArray):
        return [parameter.data(like.context) for parameter in parameters]
    return _variables(*parameters)


def _is_mlp(fc1: nn.Dense, fc2: nn.Dense) -> bool:
    """Whether the operator ``channel_gate`` supports dense layers: both with biases, ReLU after the first."""
    has_biases = fc1.bias is not None and fc2.bias is not None
    return has_biases and fc1.act is not None and fc1.act._act_type == 'relu' and fc2.act is None


def _is_spatial_gate(conv: nn.Conv2D, norm: nn.BatchNorm) -> bool:
    """Whether the operator ``spatial_gate`` supports layers, see native/quantized_operators.cc."""
    has_two_maps = _keeps_size(conv) and conv.weight.shape[1] == 2
    return has_two_maps and conv.bias is None and norm._kwargs['eps'] == _BATCH_NORM_EPSILON


def _is_gate_convolution(conv: nn.Conv2D) -> bool:
    """Whether the operators ``gate_convolution`` replace a layer: few maps, which :data:`_MOST_MAPS` limits, to one."""
    return _keeps_size(conv) and 0 < conv.weight.shape[1] <= _MOST_MAPS


def _keeps_size(conv: nn.Conv2D) -> bool:
    """Whether a layer convolves maps to one of the same size, with a square kernel and nothing else but a bias."""
    if (
        type(conv) is not nn.Conv2D or conv._forward_hooks or conv._forward_pre_hooks
    ):  # the layer itself is to be called
        return False
    options, (outputs, _, height, width) = conv._kwargs, conv.weight.shape
    plain = options['stride'] == options['dilate'] == (1, 1) and options['num_group'] == 1 and conv.act is None
    return plain and outputs == 1 and height == width and height % 2 == 1 and options['pad'] == (height // 2,) * 2

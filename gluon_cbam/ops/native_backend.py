"""The operations of attention on the compiled operators of native/."""

from __future__ import annotations

from types import SimpleNamespace
from typing import List, Optional, Sequence

from mxnet.gluon import Parameter, nn

from gluon_cbam.common.types import OpNamespace, Tensor

from .graph_backend import FastBackend
from .reference_backend import FeatureMap, add_relu

_BATCH_NORM_EPSILON = 1e-5  # as in native/quantized_operators.cc


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


def _is_mlp(fc1: nn.Dense, fc2: nn.Dense) -> bool:
    """Whether the operator ``channel_gate`` supports dense layers: both with biases, ReLU after the first."""
    has_biases = fc1.bias is not None and fc2.bias is not None
    return has_biases and fc1.act is not None and fc1.act._act_type == 'relu' and fc2.act is None


def _is_spatial_gate(conv: nn.Conv2D, norm: nn.BatchNorm) -> bool:
    """Whether the operator ``spatial_gate`` supports layers, see native/quantized_operators.cc."""
    options, (outputs, inputs, height, width) = conv._kwargs, conv.weight.shape
    padding = (height // 2, width // 2)
    keeps_size = (options['stride'], options['dilate'], options['pad']) == ((1, 1), (1, 1), padding)
    is_square = (outputs, inputs, height % 2) == (1, 2, 1) and height == width
    return keeps_size and is_square and conv.bias is None and norm._kwargs['eps'] == _BATCH_NORM_EPSILON

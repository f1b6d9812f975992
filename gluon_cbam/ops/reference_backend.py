"""The operations of attention in MXNet's operators, in the order of the equations: the interface of all backends."""

from __future__ import annotations

from typing import List, Optional, Protocol, Sequence

from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor

from .drop_path import drop_path
from .gates import apply_gate
from .pooling import CHANNEL_POOLS, GLOBAL_POOLS


class FeatureMap:
    """A feature map, (N, C, H, W), with deferred gates, which are not multiplied with it yet.

    Its value, ``tensor * channel * spatial``, never changes. A backend may replace the tensor by an equal one,
    and multiply the gates when something needs the product.

    Args:
        tensor: (N, C, H, W).
        channel: deferred channel gate, a channel vector; default none.
        spatial: deferred spatial gate, (N, 1, H, W); default none.
    """

    __slots__ = ('channel', 'spatial', 'tensor')

    def __init__(self, tensor: Tensor, channel: Optional[Tensor] = None, spatial: Optional[Tensor] = None) -> None:
        self.tensor, self.channel, self.spatial = tensor, channel, spatial


class GateBlock(Protocol):
    """A block that computes a gate: called with an (N, C, H, W) tensor, or with a backend."""

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the gate of a tensor, (N, C, 1, 1) or (N, 1, H, W)."""

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate of a map: a channel vector or (N, 1, H, W)."""


class AttentionBlock(Protocol):
    """A block that maps (N, C, H, W) to the same shape: called with a tensor, or with a backend."""

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the output for a tensor."""

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Compute the output, whose gates may be deferred."""


class ReferenceBackend:
    """MXNet's operators in the order of the equations, for exports and GPUs.

    Every backend has these methods. An attention module uses only these, so that it runs on the fast paths of each
    backend without code of its own for them.

    A *channel vector* holds a value for every sample and channel: pooled maps, logits and channel gates. Its shape,
    (N, C) or (N, C, 1, 1), is the backend's choice. Dense layers and element-wise operators take it as it is;
    :meth:`as_map` and :meth:`as_vector` convert from and to (N, C, 1, 1).

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``, for operators that are not methods here.
    """

    def __init__(self, F: OpNamespace) -> None:
        self.F = F

    def as_map(self, vector: Tensor) -> Tensor:
        """A channel vector as (N, C, 1, 1)."""
        return vector

    def as_vector(self, values: Tensor) -> Tensor:
        """An array of (N, C, 1, 1) as a channel vector."""
        return values

    def global_pool(self, x: FeatureMap, kinds: Sequence[str]) -> List[Tensor]:
        """Pool over the positions.

        Args:
            x: the map.
            kinds: keys of :data:`.pooling.GLOBAL_POOLS`.

        Returns:
            One channel vector for each kind.
        """
        tensor = self.materialize(x)
        return [GLOBAL_POOLS[kind](self.F, tensor) for kind in kinds]

    def channel_pool(self, x: FeatureMap, kinds: Sequence[str]) -> Tensor:
        """Pool over the channels.

        Args:
            x: the map.
            kinds: keys of :data:`.pooling.CHANNEL_POOLS`, each at most once.

        Returns:
            (N, len(kinds), H, W), in the order of ``kinds``.
        """
        tensor = self.materialize(x)
        return self.F.concat(*[CHANNEL_POOLS[kind](self.F, tensor) for kind in kinds], dim=1)

    def shared_mlp(self, vectors: Sequence[Tensor], fc1: nn.Dense, fc2: nn.Dense) -> Tensor:
        """The sum of ``fc2(fc1(v))`` over channel vectors.

        Args:
            vectors: at least one channel vector.
            fc1: dense layer from C to the hidden units, with its activation.
            fc2: dense layer from the hidden units to C.

        Returns:
            A channel vector.
        """
        return sum(fc2(fc1(vector)) for vector in vectors).expand_dims(2).expand_dims(3)

    def channel_gate(self, vectors: Sequence[Tensor], fc1: nn.Dense, fc2: nn.Dense, gate: str) -> Tensor:
        """The gate of :meth:`shared_mlp`.

        Args:
            vectors: at least one channel vector.
            fc1: dense layer from C to the hidden units, with ReLU.
            fc2: dense layer from the hidden units to C.
            gate: one of :data:`.gates.GATES`.

        Returns:
            A channel vector.
        """
        return apply_gate(self.F, self.shared_mlp(vectors, fc1, fc2), gate)

    def spatial_logits(self, maps: Tensor, conv: nn.Conv2D, norm: Optional[nn.BatchNorm]) -> Tensor:
        """A convolution to one channel and BatchNorm.

        Args:
            maps: (N, channels, H, W).
            conv: convolution to one channel that keeps the height and the width.
            norm: None for no BatchNorm.

        Returns:
            (N, 1, H, W).
        """
        logits = conv(maps)
        return logits if norm is None else norm(logits)

    def spatial_gate(self, maps: Tensor, conv: nn.Conv2D, norm: Optional[nn.BatchNorm], gate: str) -> Tensor:
        """The gate of :meth:`spatial_logits`; ``gate`` is one of :data:`.gates.GATES`."""
        return apply_gate(self.F, self.spatial_logits(maps, conv, norm), gate)

    def scale(self, x: FeatureMap, channel: Optional[Tensor] = None, spatial: Optional[Tensor] = None) -> FeatureMap:
        """Multiply a map by gates, at once or when the product is needed.

        Args:
            x: the map.
            channel: channel gate, a channel vector; default none.
            spatial: spatial gate, (N, 1, H, W); default none.

        Returns:
            The scaled map, whose gates may be deferred.
        """
        return FeatureMap(self.materialize(FeatureMap(self.materialize(x), channel, spatial)))

    def materialize(self, x: FeatureMap) -> Tensor:
        """Multiply the deferred gates of a map; returns it as a tensor, (N, C, H, W)."""
        for gate in (None if x.channel is None else self.as_map(x.channel), x.spatial):
            x.tensor = x.tensor if gate is None else self.F.broadcast_mul(x.tensor, gate)
        x.channel = x.spatial = None
        return x.tensor

    def drop_path(self, x: FeatureMap, rate: float) -> FeatureMap:
        """Leave out samples at random while training, in a deferred gate if there is one, which is smaller.

        Args:
            x: the map.
            rate: see :func:`.drop_path.drop_path`.

        Returns:
            The map, whose gates may be deferred.
        """
        if x.spatial is not None:
            return FeatureMap(x.tensor, x.channel, drop_path(self.F, x.spatial, rate))
        if x.channel is not None:
            return FeatureMap(x.tensor, self.as_vector(drop_path(self.F, self.as_map(x.channel), rate)))
        return FeatureMap(drop_path(self.F, x.tensor, rate))

    def add_relu(self, x: FeatureMap, shortcut: Optional[Tensor] = None, relu: bool = False) -> Tensor:
        """The end of a residual block: add the shortcut, then apply ReLU.

        Args:
            x: the map.
            shortcut: (N, C, H, W); default none.
            relu: whether a ReLU follows.

        Returns:
            (N, C, H, W).
        """
        return add_relu(self.F, self.materialize(x), shortcut, relu)

    def gate_of(self, block: GateBlock, x: FeatureMap) -> Tensor:
        """The gate that a block of gates computes for a map: a channel vector or (N, 1, H, W).

        This backend calls the block, so that its hooks run and the names of operators have its prefix.
        """
        return block(self.materialize(x))

    def output_of(self, block: AttentionBlock, x: FeatureMap) -> FeatureMap:
        """The output of an attention module for a map, see :meth:`gate_of`."""
        return FeatureMap(block(self.materialize(x)))


def add_relu(F: OpNamespace, x: Tensor, shortcut: Optional[Tensor] = None, relu: bool = False) -> Tensor:
    """Add a shortcut and apply ReLU, in MXNet's operators.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        x: (N, C, H, W).
        shortcut: a map of the same shape to add; default none.
        relu: whether a ReLU follows; default no.

    Returns:
        (N, C, H, W).
    """
    x = x if shortcut is None else x + shortcut
    return F.Activation(x, act_type='relu') if relu else x

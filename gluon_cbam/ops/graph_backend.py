"""The operations of attention in MXNet's operators, chosen for speed in hybridized networks on the CPU."""

from __future__ import annotations

from typing import List, Sequence

from mxnet.gluon import nn

from gluon_cbam.common.types import Tensor

from .pooling import GLOBAL_POOLS
from .reference_backend import AttentionBlock, FeatureMap, GateBlock, ReferenceBackend


class FastBackend(ReferenceBackend):
    """The base of the fast backends: channel vectors are (N, C), and an MLP is applied to several of them at once.

    Blocks of gates and attention modules are not called; their operators are traced directly.
    """

    def as_map(self, vector: Tensor) -> Tensor:
        """See :meth:`ReferenceBackend.as_map`."""
        return vector.expand_dims(2).expand_dims(3)

    def as_vector(self, values: Tensor) -> Tensor:
        """See :meth:`ReferenceBackend.as_vector`."""
        return self.F.flatten(values)

    def global_pool(self, x: FeatureMap, kinds: Sequence[str]) -> List[Tensor]:
        """See :meth:`ReferenceBackend.global_pool`."""
        tensor = self.materialize(x)
        return [self.F.flatten(GLOBAL_POOLS[kind](self.F, tensor)) for kind in kinds]

    def shared_mlp(self, vectors: Sequence[Tensor], fc1: nn.Dense, fc2: nn.Dense) -> Tensor:
        """See :meth:`ReferenceBackend.shared_mlp`; the vectors are concatenated to (len(vectors) * N, C)."""
        if len(vectors) == 1:
            return fc2(fc1(vectors[0]))
        outputs = fc2(fc1(self.F.concat(*vectors, dim=0)))
        return self.F.add_n(*self.F.split(outputs, num_outputs=len(vectors), axis=0))

    def gate_of(self, block: GateBlock, x: FeatureMap) -> Tensor:
        """See :meth:`ReferenceBackend.gate_of`."""
        return block.forward_ops(self, x)

    def output_of(self, block: AttentionBlock, x: FeatureMap) -> FeatureMap:
        """See :meth:`ReferenceBackend.output_of`."""
        return block.forward_ops(self, x)


class GraphBackend(FastBackend):
    """MXNet's operators, chosen for speed.

    A mean over channels is a convolution, which takes a tenth of the time of ``F.mean``. A maximum is picked by its
    index, which is searched in rows of channels: that takes a third of the time of ``F.max``, and a sixth with its
    gradient, which keeps no further map. A pooling of the rows would be as fast, but would keep them.

    The gradient of a maximum over channels goes to the first of equal values, as with the official code's
    ``torch.max``; ``F.max(axis=1)`` of the reference gives the gradient to each of them.
    """

    def channel_pool(self, x: FeatureMap, kinds: Sequence[str]) -> Tensor:
        """See :meth:`ReferenceBackend.channel_pool`."""
        tensor = self.materialize(x)
        pools = {'max': self._channel_max, 'mean': self._channel_mean}
        return self.F.concat(*(pools[kind](tensor) for kind in kinds), dim=1)

    def _channel_max(self, x: Tensor) -> Tensor:
        F = self.F
        rows = F.transpose(F.BlockGrad(x), axes=(0, 2, 3, 1))  # (N, H, W, C)
        return F.pick(x, F.argmax(rows, axis=3), axis=1, keepdims=True)  # (N, 1, H, W)

    def _channel_mean(self, x: Tensor) -> Tensor:
        F = self.F
        ones = F.ones_like(F.slice(x, begin=(0, None, 0, 0), end=(1, None, 1, 1)))  # (1, C, 1, 1)
        kernel = F.broadcast_div(ones, F.sum(ones))
        return F.Convolution(x, kernel, kernel=(1, 1), num_filter=1, no_bias=True)

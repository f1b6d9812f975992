"""The base classes of attention modules and of their gates, which compute with the methods of an ops backend."""

from __future__ import annotations

from typing import ClassVar, Optional

from mxnet.gluon import HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend, select_backend

from .blocks import CheckedBlock


class Attention(CheckedBlock):
    """A module that maps (N, C, H, W) to the same shape.

    Subclasses implement :meth:`forward_ops`, their equations in the methods of an ops backend. They run on compiled
    operators, the last of which also computes the addition and ReLU of a residual block, and export MXNet's operators.

    Example:
        >>> class Squeeze(Attention):
        ...     def forward_ops(self, ops, x):
        ...         (mean,) = ops.global_pool(x, ['avg'])
        ...         return ops.scale(x, channel=ops.F.sigmoid(mean))
    """

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Compute the output.

        Args:
            ops: the backend to compute with.
            x: the map, (N, C, H, W).

        Returns:
            The output map, for instance of ``ops.scale``.
        """
        raise NotImplementedError

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute :meth:`forward_ops` on the backend of :meth:`select_backend`."""
        ops = self.select_backend(F, x)
        return ops.materialize(self.forward_ops(ops, FeatureMap(x)))

    def select_backend(self, F: OpNamespace, x: Tensor) -> ReferenceBackend:
        """Choose the backend for a map.

        It is the one of :func:`gluon_cbam.ops.backend.select_backend`, or the reference backend if the module or its
        gates have hooks, since the other backends do not call these blocks.
        """
        blocks = self, *self._children.values()
        watched = any(block._forward_hooks or block._forward_pre_hooks for block in blocks)
        return ReferenceBackend(F) if watched else select_backend(F, x)


class Gate(CheckedBlock):
    """A block that computes a gate of a map.

    Subclasses implement :meth:`forward_ops`. A gate that is called with an array or a symbol runs on the reference
    backend.
    """

    kind: ClassVar[str]
    """``channel`` or ``spatial``: the argument of ``ops.scale`` for the gate."""

    def forward_ops(self, ops: ReferenceBackend, x: FeatureMap) -> Tensor:
        """Compute the gate.

        Args:
            ops: the backend to compute with.
            x: the map, (N, C, H, W).

        Returns:
            The gate, a channel vector or (N, 1, H, W).
        """
        raise NotImplementedError

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the gate, (N, C, 1, 1) or (N, 1, H, W), on the reference backend."""
        return self.forward_ops(ReferenceBackend(F), FeatureMap(x))

    def scale(self, ops: ReferenceBackend, x: FeatureMap) -> FeatureMap:
        """Scale a map by its gate."""
        return ops.scale(x, **{self.kind: ops.gate_of(self, x)})


def apply_attention(
    F: OpNamespace,
    attention: HybridBlock,
    x: Tensor,
    shortcut: Optional[Tensor] = None,
    relu: bool = False,
    drop_path: float = 0.0,
) -> Tensor:
    """The end of a residual block: ``attention(x) + shortcut``, then ReLU.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        attention: an :class:`Attention`, or any block that maps (N, C, H, W) to the same shape.
        x: the map, (N, C, H, W).
        shortcut: (N, C, H, W); default none.
        relu: whether a ReLU follows; default no.
        drop_path: the probability that ``attention(x)`` of a sample is left out while training, see
            :func:`gluon_cbam.ops.drop_path.drop_path`.

    Returns:
        (N, C, H, W).
    """
    known = isinstance(attention, Attention)
    ops = attention.select_backend(F, x) if known else ReferenceBackend(F)
    attended = ops.output_of(attention, FeatureMap(x))
    return ops.add_relu(ops.drop_path(attended, drop_path) if drop_path else attended, shortcut, relu)

"""Parameters of a loss: trained and saved with a network, but no part of it.

ArcFace's class centers are such parameters: see ``head`` of :class:`gluon_cbam.tasks.objective.Objective`.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError

from .selection import named


class LossHead:
    """The parameters of a loss, as a part of checkpoints.

    Args:
        head: the block that holds them; it is initialized here.
        ctx: the devices.
    """

    def __init__(self, head: mx.gluon.Block, ctx: Any) -> None:
        head.initialize(ctx=ctx)
        self.head = head

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """See :class:`.stateful.Stateful`."""
        return {name: parameter.list_data()[0] for name, parameter in named(self.head).items()}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """See :class:`.stateful.Stateful`.

        Raises:
            DataError: the parameters are of another loss.
        """
        for name, parameter in named(self.head).items():
            if name not in arrays or arrays[name].shape != parameter.shape:
                raise DataError(f'the parameter {name} of the loss is missing or does not fit: is it of another loss?')
            parameter.set_data(arrays[name])


class NetworkWithHead(mx.gluon.Block):
    """A network and the head of its loss, for an optimizer that updates both; it computes what the network does.

    Args:
        net: the network; its parameters keep their names.
        head: the head of the loss; its parameters get ``head.`` in front.
    """

    def __init__(self, net: mx.gluon.HybridBlock, head: mx.gluon.Block) -> None:
        super().__init__()
        self.net, self.head = net, head

    def forward(self, x: mx.nd.NDArray) -> Any:
        """The outputs of the network."""
        return self.net(x)

    def penalty(self, ctx: mx.Context) -> Optional[mx.nd.NDArray]:
        """The penalty of the network."""
        return self.net.penalty(ctx)

    def _collect_params_with_prefix(self, prefix: str = '') -> Dict[str, mx.gluon.Parameter]:
        head = self.head._collect_params_with_prefix(f'{prefix}head')
        return {**self.net._collect_params_with_prefix(prefix), **head}
